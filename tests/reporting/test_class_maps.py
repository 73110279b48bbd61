"""Class maps: 255 where nucleus is the likelier class, one picture per image, drawn by the step and on the site."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import invented_study as invented
from karyobench.datasets.store import create_hdf5
from karyobench.errors import KaryobenchError
from karyobench.inference.tiles import start_image, write_tile
from karyobench.reporting import class_maps, site
from karyobench.systems import registry

ROOT = Path(__file__).resolve().parents[2]
MAP = np.array([[0.5, 0.51, 0.9, 0.1], [0.49, 1.0, 0.0, 0.7]], np.float16)
CLASSES = np.array([[0, 255, 255, 0], [0, 255, 0, 255]], np.uint8)


def predictions(path: Path, kind: str = "maps") -> Path:
    """Two images: one of a single tile, and one of two tiles that overlap in two columns."""
    with create_hdf5(path) as target:
        write_tile(start_image(target, "a.b", (2, 4), kind), 0, (0, 0, 2, 4), MAP[None])
        group = start_image(target, "bad:name", (1, 6), kind)
        write_tile(group, 0, (0, 0, 1, 4), np.full((1, 1, 4), 0.9, np.float16))
        write_tile(group, 1, (0, 2, 1, 6), np.full((1, 1, 4), 0.2, np.float16))
    return path


def test_class_maps_are_the_likelier_class_times_255(tmp_path: Path) -> None:
    source = predictions(tmp_path / "p.h5")
    command = [sys.executable, ROOT / "scripts" / "class_maps.py", "--predictions", source]
    subprocess.run([*command, "--output", tmp_path / "maps"], check=True, capture_output=True)
    pictures = sorted((tmp_path / "maps").iterdir())
    assert len(pictures) == 2
    with Image.open(tmp_path / "maps" / "a.b.png") as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), CLASSES)
    # The overlap's weights are 2/3, 1/3 of the first tile: 0.67 and 0.43.
    with Image.open(pictures[1]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), [[255, 255, 255, 0, 0, 0]])


def test_holes_and_small_objects_stay_as_the_network_tells_them(tmp_path: Path) -> None:
    """What the step merge of these systems fills and drops."""
    truth = np.zeros((40, 40), np.float16)
    truth[5:25, 5:25] = 0.9
    truth[10:12, 10:12] = 0.1
    truth[35, 35] = 0.55
    with create_hdf5(tmp_path / "p.h5") as target:
        write_tile(start_image(target, "x", truth.shape, "maps"), 0, (0, 0, *truth.shape), truth[None])
    class_maps.write(tmp_path / "p.h5", tmp_path / "maps")
    with Image.open(tmp_path / "maps" / "x.png") as picture:
        drawn = np.asarray(picture)
    np.testing.assert_array_equal(drawn, np.where(truth > 0.5, 255, 0))
    merged = registry.load("alexnet").instances(truth[None], {"instances": {"threshold": 0.6, "min_area": 60}})
    assert (drawn > 0).sum() == 400 - 4 + 1
    assert (merged > 0).sum() == 400


def test_predictions_without_a_class_per_pixel_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"p.h5: image 'a.b': holds instances; only dense maps"):
        class_maps.write(predictions(tmp_path / "p.h5", "instances"), tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_an_optional_literal_has_a_value_where_it_is_not_declared() -> None:
    assert registry.declared("alexnet", "CLASS_MAP", absent=False) is True
    assert registry.declared("otsu", "CLASS_MAP", absent=False) is False
    with pytest.raises(KaryobenchError, match="declares no CLASS_MAP"):
        registry.declared("otsu", "CLASS_MAP")


def test_the_site_shows_the_class_maps_of_the_best_median_and_worst_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    truth = np.zeros((8, 24), np.int32)
    truth[2:6, 2:6], truth[2:6, 10:14] = 1, 2
    images = {f"im{k}": (np.zeros((8, 24, 3), np.uint8), truth) for k in range(4)}
    found = {"im0": truth, "im1": truth % 2, "im2": 0 * truth, "im3": None}
    board = invented.board("b", images, {("alexnet-a", 1): found, ("otsu-a", 1): found})
    board["rows"][0]["class_maps"] = "maps"
    Path("maps").mkdir()
    for image in ("im0", "im1", "im2"):
        Image.new("L", (24, 8)).save(f"maps/{image}.png")
    site.build(invented.study("s", [board]), "site")
    copied = sorted(path.name for path in Path("site/class-maps/b/alexnet-a").iterdir())
    page = Path("site/experiment/alexnet-a.html").read_text()
    # The worst of them by the score has no prediction, and so no map.
    assert copied == ["im0.png", "im2.png"]
    assert [f'src="../class-maps/b/alexnet-a/{name}" width="24" height="8"' in page for name in copied] == [True, True]
    assert "Class maps" in page
    assert "Class maps" not in Path("site/experiment/otsu-a.html").read_text()
