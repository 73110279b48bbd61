"""Two H&E fields of ovarian carcinoma from the Python package histolytics.

The nest's truth is an instance map in an npz; the stroma's are polygons in a GeoParquet whose coordinates are pixels,
though its metadata claim a geographic reference system, which is ignored. How either was made is not stated.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import images, polygons
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_NEST = ("hgsc_nest.jpg", "hgsc_nest_inst_mask.npz")
_NEST_KEY = "nuc_raster"
_AREAS = {"Polygon", "MultiPolygon"}
_STROMA = ("hgsc_stromal_he.jpg", "hgsc_stromal_cells.parquet")


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """Fields `hgsc_nest` and `hgsc_stromal`; `overlapping_pixels` counts those that two polygons claim."""
    image, notes = _image(raw / _NEST[0], record)
    yield Field("hgsc_nest", image, _npz_labels(raw / _NEST[1]), {"source_file": _NEST[0], **notes})
    image, notes = _image(raw / _STROMA[0], record)
    labels, contested = polygons.rasterize(_geometries(raw / _STROMA[1]), image.shape[:2])
    notes |= {"overlapping_pixels": contested}
    yield Field("hgsc_stromal", image, labels, {"source_file": _STROMA[0], **notes})


def _image(path: Path, record: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
    return images.read_image(_bytes(path), str(path), record.get("intensity"))


def _npz_labels(path: Path) -> np.ndarray:
    data = _bytes(path)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return np.array(arrays[_NEST_KEY])
    except MemoryError:
        raise
    except Exception as error:
        # On damaged files numpy raises whatever the archive, the header's syntax or the data come upon.
        raise KaryobenchError(f"{path}: no instance map under the key '{_NEST_KEY}' ({error}); replace it") from None


def _geometries(path: Path) -> list[Any]:
    """Polygons of the geometry column that the file's GeoParquet metadata name, in the file's order."""
    import pyarrow
    import pyarrow.parquet
    import shapely

    data = _bytes(path)
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(data))
        about = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
        column = table[about.get("primary_column", "geometry")]
        polygons = shapely.from_wkb(column.to_pylist())
    except MemoryError:
        raise
    except Exception as error:
        # As above; pyarrow's own errors are as many.
        raise KaryobenchError(f"{path}: no polygons can be read ({error}); replace the file") from None
    if {getattr(shape, "geom_type", None) for shape in polygons} - _AREAS or not np.isfinite(
        shapely.get_coordinates(polygons)
    ).all():
        raise KaryobenchError(f"{path}: holds other shapes than polygons of numbers; replace the file")
    return list(polygons)


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise KaryobenchError(f"{path} is missing; list it under the source's `members`")
    return path.read_bytes()
