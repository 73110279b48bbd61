"""The reader `hgsc`: an instance map in an npz, and polygons in a GeoParquet."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import shapely
from PIL import Image

from karyobench.errors import KaryobenchError
from reader_files import read

RNG = np.random.default_rng(0)


def write_hgsc(path: Path) -> Path:
    """Files of the names and formats of the package, 40 x 50 pixels; the parquet claims a geographic system."""
    for name in ("hgsc_nest.jpg", "hgsc_stromal_he.jpg"):
        Image.fromarray(RNG.integers(0, 256, (40, 50, 3), np.uint8)).save(path / name)
    np.savez(path / "hgsc_nest_inst_mask.npz", nuc_raster=np.kron([[0, 3], [7, 0]], np.ones((20, 25), np.int32)))
    write_parquet(path, [shapely.box(0, 0, 10, 5), shapely.box(5, 0, 20, 5)])
    return path


def write_parquet(path: Path, shapes: list[shapely.Polygon], column: str = "geometry") -> None:
    table = pa.table({"geometry": [shape.wkb for shape in shapes], "class_name": ["x"] * len(shapes)})
    about = f'{{"primary_column": "{column}", "columns": {{"geometry": {{"crs": {{"id": "EPSG:4326"}}}}}}}}'
    pa.parquet.write_table(table.replace_schema_metadata({"geo": about}), path / "hgsc_stromal_cells.parquet")


def make(raw: Path) -> dict[str, Any]:
    """The files of the package."""
    write_hgsc(raw)
    return {"image_type": "he"}


def test_both_fields(tmp_path: Path) -> None:
    fields = read("hgsc", write_hgsc(tmp_path))
    assert list(fields) == ["hgsc_nest", "hgsc_stromal"]
    assert np.unique(fields["hgsc_nest"].instances).tolist() == [0, 3, 7]
    stroma = fields["hgsc_stromal"]
    assert stroma.image.shape == (40, 50, 3)
    assert [(stroma.instances == k).sum() for k in (1, 2)] == [50, 50]
    assert np.all(stroma.instances[:5, :10] == 1)
    assert stroma.attributes["overlapping_pixels"] == 25


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    write_parquet(write_hgsc(tmp_path), [shapely.box(0, 0, 1, 1)], column="outline")
    with pytest.raises(KaryobenchError, match=r"hgsc_stromal_cells\.parquet: no polygons .*outline"):
        read("hgsc", tmp_path)
    (tmp_path / "hgsc_stromal_cells.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(KaryobenchError, match=r"hgsc_stromal_cells\.parquet: no polygons"):
        read("hgsc", tmp_path)
    np.savez(tmp_path / "hgsc_nest_inst_mask.npz", nuc_raster=np.array([{"a": "pickle"}]))
    with pytest.raises(KaryobenchError, match=r"hgsc_nest_inst_mask\.npz: no instance map"):
        read("hgsc", tmp_path)
    np.savez(tmp_path / "hgsc_nest_inst_mask.npz", other=np.zeros(3))
    with pytest.raises(KaryobenchError, match="under the key 'nuc_raster'"):
        read("hgsc", tmp_path)
    (tmp_path / "hgsc_nest_inst_mask.npz").write_bytes(b"PK no zip")
    with pytest.raises(KaryobenchError, match=r"hgsc_nest_inst_mask\.npz"):
        read("hgsc", tmp_path)
    (tmp_path / "hgsc_nest.jpg").unlink()
    with pytest.raises(KaryobenchError, match=r"hgsc_nest\.jpg is missing"):
        read("hgsc", tmp_path)
