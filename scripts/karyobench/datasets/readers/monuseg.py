"""MoNuSeg 2018, whose training part is the set of Kumar et al. (2017): TIFF images with Aperio XML annotations.

Images `<case>.tif` and annotations `<case>.xml` may lie in different folders. A nucleus is a `Region` below
`Annotations/Annotation/Regions`, its outline the attributes X (column) and Y (row) of its `Vertices/Vertex`.

Coordinates are pixels with the corner of the first pixel at (0, 0), as `polygons.rasterize` has it. The files do not
say so, but the images do: nuclei that are rasterized so stand out more from their surroundings than with pixel centres
at whole numbers. The step of the red channel from their outermost pixels to those around them is larger in 17 of 21
images, 16.9 against 16.4 grey levels on average.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from karyobench.datasets import images, masks, members, patterns, polygons, xml_trees
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

# The cases filed under liver carry the codes of lung projects in their barcodes; the publishers' organ is kept.
_TRAIN = {
    "breast": "A7-A13E-01Z-00-DX1 A7-A13F-01Z-00-DX1 AR-A1AK-01Z-00-DX1 AR-A1AS-01Z-00-DX1 E2-A1B5-01Z-00-DX1 "
    "E2-A14V-01Z-00-DX1",
    "kidney": "B0-5711-01Z-00-DX1 HE-7128-01Z-00-DX1 HE-7129-01Z-00-DX1 HE-7130-01Z-00-DX1 B0-5710-01Z-00-DX1 "
    "B0-5698-01Z-00-DX1",
    "liver": "18-5592-01Z-00-DX1 38-6178-01Z-00-DX1 49-4488-01Z-00-DX1 50-5931-01Z-00-DX1 21-5784-01Z-00-DX1 "
    "21-5786-01Z-00-DX1",
    "prostate": "G9-6336-01Z-00-DX1 G9-6348-01Z-00-DX1 G9-6356-01Z-00-DX1 G9-6363-01Z-00-DX1 CH-5767-01Z-00-DX1 "
    "G9-6362-01Z-00-DX1",
    "bladder": "DK-A2I6-01A-01-TS1 G2-A2EK-01A-02-TSB",
    "colon": "AY-A8YK-01A-01-TS1 NH-A8F7-01A-01-TS1",
    "stomach": "KB-A93J-01A-01-TS1 RD-A8N9-01A-01-TS1",
}
_TEST = {
    "bladder": "CU-A0YN-01A-02-BSB ZF-A9R5-01A-01-TS1",
    "breast": "AC-A2FO-01A-01-TS1 AO-A0J2-01A-01-BSA",
    "colon": "A6-6782-01A-01-BS1",
    "kidney": "2Z-A9J9-01A-01-TS1 GL-6846-01A-01-BS1 IZ-8196-01A-01-BS1",
    "prostate": "EJ-A46H-01A-03-TSC HC-7209-01A-01-TS1",
    "brain": "FG-A4MU-01B-01-TS1 HT-8564-01Z-00-DX1",
    "lung": "44-2665-01B-06-BS6 69-7764-01A-01-TS1",
}
CASES = {
    f"TCGA-{case}": {"part": part, "organ": organ}
    for part, organs in (("train", _TRAIN), ("test", _TEST))
    for organ, cases in organs.items()
    for case in cases.split()
}
"""Part (train or test) and organ of each of the 44 images, as published."""

_UNLISTED = {"part": "unlisted", "organ": "unknown"}
_LEAST_VERTICES = 3


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per case, sorted. The first region that holds a pixel keeps it; what lies outside is cut off.

    Attributes: `part` and `organ`, see `CASES`; `group` and `patient`, the first three parts of the barcode; `mpp`
    where the annotation has it; `regions` in the file; `regions_without_area`, those of fewer than 3 vertices;
    `lost_objects`, these and the regions of which no pixel is left: they are not in the truth; `overlapping_pixels`
    that more than one region claims. Raises KaryobenchError naming an image or an annotation without the other, and a
    file with a vertex that is no pair of numbers.
    """
    with members.collected(raw, receipt) as found:
        dataset = receipt["dataset"]
        pictures = patterns.by_id(found.names, r"(?P<id>TCGA-[^/]+)\.tif", dataset)
        annotations = patterns.by_id(found.names, r"(?P<id>TCGA-[^/]+)\.xml", dataset)
        patterns.refuse_orphans(annotations, pictures, dataset)
        for case, member in pictures.items():
            annotation = patterns.required(annotations, case, "annotation", dataset)
            where = found.where(annotation)
            root = xml_trees.parse(found.read(annotation), where)
            image, notes = images.read_image(found.read(member), found.where(member), record.get("intensity"))
            labels, counted = _labels(root, image.shape[:2], where)
            patient = "-".join(case.split("-")[:3])
            notes |= {"source_file": member, "patient": patient, "group": patient, **CASES.get(case, _UNLISTED)}
            yield Field(case, image, labels, notes | counted | _scale(root, where))


def _labels(root: Element, shape: tuple[int, int], where: str) -> tuple[np.ndarray, dict[str, int]]:
    """Instance map of the regions of an annotation and the attributes that count them."""
    import shapely

    regions = [_vertices(region, where) for region in root.iterfind("Annotation/Regions/Region")]
    whole = [vertices for vertices in regions if len(vertices) >= _LEAST_VERTICES]
    labels, contested = polygons.rasterize(map(shapely.Polygon, whole), shape)
    without_area = len(regions) - len(whole)
    counted = {"regions": len(regions), "regions_without_area": without_area, "overlapping_pixels": contested}
    return labels, counted | {"lost_objects": without_area + masks.lost(labels, len(whole))}


def _vertices(region: Element, where: str) -> np.ndarray:
    """Outline of a region: float64 (n, 2), x and y."""
    found = [(vertex.get("X"), vertex.get("Y")) for vertex in region.iterfind("Vertices/Vertex")]
    try:
        vertices = np.array(found, np.float64).reshape(-1, 2)
        if not np.isfinite(vertices).all():
            raise ValueError("not finite")
    except (ValueError, TypeError) as error:
        raise KaryobenchError(f"{where}: a vertex is no pair of numbers ({error}); download the file again") from None
    return vertices


def _scale(root: Element, where: str) -> dict[str, float]:
    stated = root.get("MicronsPerPixel")
    if stated is None:
        return {}
    try:
        scale = float(stated)
    except ValueError:
        scale = 0
    if not 0 < scale < np.inf:
        raise KaryobenchError(f"{where}: MicronsPerPixel is '{stated}', not a positive number; correct the file")
    return {"mpp": scale}
