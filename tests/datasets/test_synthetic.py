"""The synthetic images have the geometry that their closed forms rest on, and the closed forms hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import synthetic
from karyobench.datasets import splits, store
from karyobench.datasets.download import download
from karyobench.datasets.ingest import ingest
from karyobench.datasets.split import split
from karyobench.metrics import counts, scores

IMAGES = [pair["id"] for pair in synthetic.dataset("x")["pairs"]]
FULL = [image_id for image_id in IMAGES if synthetic.n_nuclei(image_id)]
METRICS = {"iou_thresholds": [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95], "f1_threshold": 0.5}
SIDE, TILE = synthetic.SIDE, synthetic.TILE


def corners(image_id: str) -> np.ndarray:
    """First row and column of each square, in the order of the labels."""
    found = ndimage.find_objects(synthetic.truth(image_id))
    assert all((r.stop - r.start, c.stop - c.start) == (SIDE, SIDE) for r, c in found)
    return np.array([(r.start, c.start) for r, c in found])


@pytest.mark.parametrize("image_id", FULL)
def test_squares_come_in_pairs_that_share_an_edge(image_id: str) -> None:
    squares = corners(image_id)
    assert len(squares) == synthetic.n_nuclei(image_id)
    assert (np.bincount(synthetic.truth(image_id).ravel())[1:] == SIDE**2).all()
    assert (squares[1::2] - squares[::2] == [0, SIDE]).all()


@pytest.mark.parametrize("image_id", FULL)
def test_blocks_keep_their_distance(image_id: str) -> None:
    blocks, count = ndimage.label(np.pad(synthetic.truth(image_id) > 0, 8))
    assert count == synthetic.n_nuclei(image_id) // 2
    assert not blocks[:12].any()
    assert not blocks[:, :12].any()
    grown = ndimage.label(ndimage.binary_dilation(blocks > 0, np.ones((3, 3)), iterations=3))[1]
    assert grown == count
    assert max(corners(image_id).max(axis=0)) + SIDE <= synthetic.SIZE - 4


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("moved", [(0, 0), synthetic.SHIFT])
def test_seams_cut_squares_deeply_and_never_along_an_edge(axis: int, moved: tuple[int, int]) -> None:
    """Also after the shift, and for half squares: their middle row lies 6 px from either edge."""
    starts = np.unique(corners("train1")[:, axis]) + moved[axis]
    for seam in range(TILE, synthetic.SIZE, TILE):
        depth = seam - starts[(starts <= seam) & (seam <= starts + SIDE)]
        assert depth.size == 1
        assert 3 <= depth[0] <= SIDE - 3
        if moved == (0, 0):
            assert 3 <= depth[0] % (SIDE // 2) <= SIDE // 2 - 3


def test_some_squares_lie_in_four_tiles() -> None:
    for image_id in FULL:
        labels = synthetic.truth(image_id)
        corner = labels[TILE - 1 : TILE + 1, TILE - 1 : TILE + 1]
        assert corner.min() == corner.max()
    assert sum(synthetic.truth(i)[TILE, TILE] > 0 for i in FULL) > 0


def fake(name: str, labels: np.ndarray) -> np.ndarray:
    """What a fake system says, written here anew from its definition."""
    if name == "oracle_shifted":
        return np.roll(labels, synthetic.SHIFT, axis=(0, 1))
    if name == "oracle_merged":
        return (labels + 1) // 2
    if name == "oracle_split":
        lower = np.zeros_like(labels)
        for rows, columns in ndimage.find_objects(labels):
            lower[rows.start + SIDE // 2 : rows.stop, columns] = 1
        return np.where(labels > 0, 2 * labels - 1 + lower, 0)
    return labels if name == "oracle_truth" else np.zeros_like(labels)


@pytest.mark.parametrize("name", ["oracle_truth", "oracle_empty", "oracle_shifted", "oracle_merged", "oracle_split"])
def test_closed_forms(name: str) -> None:
    rows = []
    for image_id in synthetic.dataset("x")["split"]["test"]:
        labels = synthetic.truth(image_id).astype(np.int32)
        rows.append(counts.count_image(labels, fake(name, labels), METRICS["iou_thresholds"]))
    measured = scores.macro(pd.DataFrame(rows), METRICS)
    assert synthetic.expected(name) == pytest.approx(measured.to_dict(), abs=1e-12)


def test_written_images_go_through_the_whole_room(workdir: Path) -> None:
    synthetic.write(Path("data"))
    record = synthetic.dataset("data")
    download("smoke", record["source"], "", Path("partial"), Path("raw/source.json"))
    ingest(record | {"dataset": "smoke"}, Path("raw/source.json"), Path("smoke.h5"), Path("smoke.json"))
    split(record["split"], Path("smoke.h5"), Path("smoke.csv"))
    with store.reading("smoke.h5") as images:
        assert images.ids == sorted(IMAGES)
        for image_id in IMAGES:
            assert np.array_equal(images.image(image_id), synthetic.picture(image_id))
            assert np.array_equal(images.instances(image_id), synthetic.truth(image_id))
    parts = list(splits.read("smoke.csv").values())
    assert [parts.count(part) for part in ("train", "val", "test", "unused")] == [3, 1, 3, 0]


def test_otsu_finds_the_nuclei() -> None:
    from skimage.filters import threshold_otsu

    red = synthetic.picture("test1")[..., 0]
    assert np.array_equal(red <= threshold_otsu(red), synthetic.truth("test1") > 0)
