"""Sparsely marked truth, from Janowczyk's files to counts: marked nuclei and the band around them count alone."""

import json

import numpy as np
import pandas as pd
import pytest

from karyobench.datasets import ingest, receipts
from karyobench.datasets.store import create_hdf5, reading, write_array
from karyobench.metrics.evaluate import evaluate
from reader_files import encoded, write_tar

METRICS = {"iou_thresholds": [0.5], "f1_threshold": 0.5}
IMAGE = "8863_500_f00003"


@pytest.fixture
def truth(tmp_path):
    """An ingested image of 40 x 40 pixels with one marked nucleus, rows and columns 10 to 15."""
    mask = np.zeros((40, 40), np.uint8)
    mask[10:16, 10:16] = 255
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    raw = tmp_path / "raw"
    raw.mkdir()
    write_tar(
        raw / "nuclei.tgz",
        {f"{IMAGE}_mask.png": encoded(mask, ".png"), f"{IMAGE}_original.tif": encoded(pixels, ".tif")},
    )
    receipt = {
        "dataset": "janowczyk",
        "files": {"nuclei.tgz": receipts.entry(raw / "nuclei.tgz")},
        "source": {"url": "-"},
        "subset": None,
    }
    (raw / "source.json").write_text(json.dumps(receipt))
    record = {"dataset": "janowczyk", "reader": "janowczyk", "image_type": "he", "truth": "manual"}
    ingest.ingest(record, raw / "source.json", tmp_path / "truth.h5", tmp_path / "truth.json")
    pd.DataFrame({"image": [IMAGE], "split": ["test"]}).to_csv(tmp_path / "split.csv", index=False)
    return tmp_path


def counts(folder, predicted):
    with create_hdf5(folder / "merged.h5") as file:
        write_array(file.create_group(IMAGE), "instances", predicted)
    config = {"metrics": METRICS, "splits": ["test"]}
    return evaluate(folder / "truth.h5", folder / "split.csv", folder / "merged.h5", config).iloc[0]


def test_what_is_found_far_from_what_is_marked_counts_for_nothing(truth):
    right = np.zeros((40, 40), np.int32)
    right[10:16, 10:16] = 1
    more = right.copy()
    more[25:31, 25:31], more[2:5, 30:36] = 2, 3  # nuclei that nobody marked
    first, second = counts(truth, right), counts(truth, more)
    assert first.drop("missing").equals(second.drop("missing"))
    assert (second["n_true"], second["n_pred"], second["tp@0.50"]) == (1, 1, 1)


def test_pixels_that_count_are_the_nucleus_and_three_pixels_around_it(truth):
    predicted = np.zeros((40, 40), np.int32)
    predicted[:] = 1
    told = counts(truth, predicted)
    with reading(truth / "truth.h5") as store:
        known = int((store.layers(IMAGE)["ignore"] == 0).sum())
    rows, columns = np.mgrid[:40, :40]
    gap = [np.clip(np.maximum(10 - places, places - 15), 0, None) for places in (rows, columns)]
    assert known == (gap[0] ** 2 + gap[1] ** 2 <= 9).sum()
    assert (told["pixel_tp"], told["pixel_fp"], told["pixel_fn"], told["pixel_tn"]) == (36, known - 36, 0, 0)


def test_a_miss_and_a_find_in_the_band_do_count(truth):
    predicted = np.zeros((40, 40), np.int32)
    predicted[16:19, 10:16] = 1
    told = counts(truth, predicted)
    assert (told["n_pred"], told["tp@0.50"], told["pixel_tp"], told["pixel_fp"]) == (1, 0, 0, 18)
