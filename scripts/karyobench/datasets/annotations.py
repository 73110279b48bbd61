"""Outlines that annotation programs write: QuPath's GeoJSON and COCO's JSON, to polygons in pixels.

Coordinates are x (column) and y (row) with the corner of the first pixel at (0, 0), as `polygons.rasterize` has them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from karyobench.datasets import run_lengths
from karyobench.errors import KaryobenchError

_AREAS = ("Polygon", "MultiPolygon")
_CELLS = ("cell", "detection")
_FARTHEST = 1e7
_Json = dict[str, Any]


@dataclass
class Listed:
    """What a COCO file says of an image.

    where: what messages call its entry. size: height and width. annotations: each with what messages call it.
    """

    where: str
    size: tuple[int, int]
    annotations: list[tuple[str, _Json]] = field(default_factory=list)


def geojson(data: bytes, where: str) -> tuple[list[Any], int]:
    """Shapely outlines of a GeoJSON file's objects, in its order, and the number of features that are none.

    Where features are cells or detections in QuPath's sense, the others are regions drawn to find them in, and are
    none; of a cell with a nucleus, the nucleus is the object. Raises KaryobenchError naming the file and the feature
    (from 1) that is damaged or no area.
    """
    content = _parsed(data, where)
    features = content if isinstance(content, list) else _entry(content, "features", list, where)
    kinds = [_kind(feature) for feature in features]
    wanted = _CELLS if any(kind in _CELLS for kind in kinds) else set(kinds)
    numbered = enumerate(zip(features, kinds, strict=True), start=1)
    outlines = [_feature(feature, f"{where}: feature {k}") for k, (feature, kind) in numbered if kind in wanted]
    return outlines, len(features) - len(outlines)


def coco(data: bytes, where: str) -> dict[str, Listed]:
    """Images of a COCO file by file name, with their annotations in the file's order.

    Raises KaryobenchError naming the file and the image or annotation (from 1) that is damaged or refers to no image.
    """
    content = _parsed(data, where)
    listed: dict[str, Listed] = {}
    by_id: dict[Any, Listed] = {}
    for k, image in enumerate(_entry(content, "images", list, where), start=1):
        name, number, found = _image(image, f"{where}: image {k}")
        if name in listed or number in by_id:
            raise KaryobenchError(f"{found.where} or the id {number} occurs twice; correct the file")
        listed[name] = by_id[number] = found
    for k, annotation in enumerate(_entry(content, "annotations", list, where), start=1):
        about = f"{where}: annotation {k}"
        number = _entry(annotation, "image_id", (int, str), about)
        if number not in by_id:
            raise KaryobenchError(f"{about}: there is no image with the id {number}; correct the file")
        by_id[number].annotations.append((about, annotation))
    return listed


def coco_outlines(image: Listed) -> tuple[list[Any], list[Any]]:
    """Shapely outlines of an image's objects, and of its crowds, in which objects are not told apart.

    They are polygons or run lengths, compressed or not; all categories count as objects. The image's size must have
    been compared with the file's. Raises KaryobenchError naming the annotation that is no outline.
    """
    objects: list[Any] = []
    crowds: list[Any] = []
    for where, annotation in image.annotations:
        outline = _segmentation(_entry(annotation, "segmentation", (list, dict), where), image.size, where)
        (crowds if annotation.get("iscrowd") else objects).append(outline)
    return objects, crowds


def _image(image: Any, where: str) -> tuple[str, int | str, Listed]:
    """File name and id of an entry of the images, and what will hold its annotations."""
    name, number = _entry(image, "file_name", str, where), _entry(image, "id", (int, str), where)
    size = _entry(image, "height", int, where), _entry(image, "width", int, where)
    return name, number, Listed(f"{where} ('{name}')", size)


def _parsed(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise KaryobenchError(f"{where}: damaged, truncated, or no JSON ({error}); export it again") from None


def _entry(content: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    if not isinstance(content, dict) or not isinstance(content.get(key), kind):
        raise KaryobenchError(f"{where}: has no proper '{key}'; is it of the format that the record names?")
    return content[key]


# ---------------------------------------------------------------------- outlines


def _kind(feature: Any) -> str | None:
    """QuPath's type of a feature, where it has one; versions before 0.4 spell the key with an underscore."""
    properties = _properties(feature)
    kind = properties.get("objectType", properties.get("object_type"))
    return kind if isinstance(kind, str) else None


def _properties(feature: Any) -> _Json:
    found = feature.get("properties") if isinstance(feature, dict) else None
    return found if isinstance(found, dict) else {}


def _feature(feature: Any, where: str) -> Any:
    """Outline of a feature: its nucleus, beside the geometry or among the properties, or else its geometry."""
    import shapely.geometry

    geometry = _entry(feature, "geometry", dict, where)
    geometry = feature.get("nucleusGeometry") or _properties(feature).get("nucleusGeometry") or geometry
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in _AREAS:
        raise KaryobenchError(f"{where}: is a {kind}, not an area ({' or '.join(_AREAS)}); delete it and export again")
    return _checked(lambda: shapely.geometry.shape(geometry), where)


def _segmentation(outline: list[Any] | _Json, size: tuple[int, int], where: str) -> Any:
    if isinstance(outline, dict):
        return run_lengths.outline(outline, size, where)
    return _checked(lambda: _parts(outline), where)


def _parts(rings: list[list[float]]) -> Any:
    """MultiPolygon of rings x, y, x, y, ..."""
    import shapely

    if any(len(ring) % 2 for ring in rings):
        raise ValueError("a ring has an odd number of coordinates")
    pairs = [list(zip(ring[::2], ring[1::2], strict=True)) for ring in rings]
    return shapely.MultiPolygon([shapely.Polygon(ring) for ring in pairs])


def _checked(make: Callable[[], Any], where: str) -> Any:
    """An outline whose vertices are numbers that can be pixels."""
    import shapely

    wrong = (shapely.errors.ShapelyError, ValueError, TypeError, LookupError, AttributeError, OverflowError)
    try:
        outline = make()
        vertices = shapely.get_coordinates(outline)
        if not (abs(vertices) < _FARTHEST).all():
            raise ValueError(f"a coordinate is no number below {_FARTHEST:g}")
    except wrong as error:
        raise KaryobenchError(f"{where}: is no outline ({error}); correct the file or export it again") from None
    return outline
