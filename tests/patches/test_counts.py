"""The numbers of patches that the papers state: told from the shapes of the full sets, and cut from real files."""

from itertools import islice

import numpy as np
import pytest

from karyobench.datasets import readers, store
from karyobench.patches import sampling
from karyobench.patches.pack import pack
from karyobench.patches.reading import reading

KUMAR = [(1000, 1000)] * 30
TNBC = [(512, 512)] * 50
ISBI = [(1030, 1349)] * 48 + [(1024, 1344)] * 49
DSB2018_TYPES = ["fluorescence"] * 541 + ["he"] * 107 + ["brightfield"] * 16

PAPER = [
    (KUMAR, {"tile": 500, "crop": 256, "crops_per_tile": 5}, 600),
    (TNBC, {"tile": 512, "crop": 256, "crops_per_tile": 5}, 250),
    (ISBI, {"tile": 700, "crop": 256, "crops_per_tile": 1}, 388),
]


@pytest.mark.parametrize(("shapes", "record", "patches"), PAPER)
def test_counts_of_the_paper(shapes, record, patches):
    assert sum(map(sum, sampling.crops(shapes, record))) == patches


def test_rare_types_of_dsb2018_are_repeated():
    """The paper oversamples H&E and bright field, by factors that it does not tell."""
    record = {"tile": 512, "crop": 256, "crops_per_tile": 1, "oversample": {"by": "image_type", "at_most": 4}}
    counts = [sum(image) for image in sampling.crops([(256, 256)] * len(DSB2018_TYPES), record, DSB2018_TYPES)]
    assert (counts[0], counts[541], counts[-1]) == (1, 4, 4)
    assert sum(counts) == 541 + 4 * (107 + 16)


@pytest.mark.parametrize(
    ("reader", "archive", "record", "images", "patches"),
    [
        ("monuseg", "monuseg/MoNuSeg 2018 Training Data.zip", PAPER[0][1], 2, 40),
        ("isbi2009", "isbi2009/Coelho2009_ISBI_NuclearSegmentation.zip", PAPER[2][1], 3, 12),
        ("dsb2018", "dsb2018/stage1_train.zip", {"tile": 512, "crop": 256, "crops_per_tile": 2}, 5, 7),
    ],
)
def test_counts_of_real_files(mirror, tmp_path, reader, archive, record, images, patches):
    """As many patches as the shapes tell, each of them what the image holds at its origin."""
    record |= {"train": [reader], "val_crops": 0, "oversample": None, "seed": 0, "codec": "zstd"}
    path = mirror / archive
    receipt = {"dataset": reader, "files": {path.name: {}}}
    fields = list(islice(readers.find(reader)(path.parent, receipt, {}), images))
    with store.writing(tmp_path / "d.h5") as writer:
        for item in fields:
            writer.add(store.Field(item.id, item.image, item.instances, {"image_type": "he"} | item.attributes))
    rows = ["image,split,group,stratum", *(f"{item.id},train,{item.id},he" for item in fields)]
    (tmp_path / "s.csv").write_text("\n".join(rows) + "\n")
    pack([tmp_path / "d.h5"], [tmp_path / "s.csv"], tmp_path / "p.h5", {"name": "p", "patches": record})

    assert sum(map(sum, sampling.crops([item.image.shape[:2] for item in fields], record))) == patches
    by_id = {item.id: item for item in fields}
    with reading(tmp_path / "p.h5", 2) as (train, _), store.open_hdf5(tmp_path / "p.h5") as file:
        assert len(train) == patches
        batch = train.batch(range(patches))
        cut, instances = batch.images, batch.instances
        for n in range(patches):
            item = by_id[file["train/origin/image"][n].decode()]
            place = int(file["train/origin/row"][n]), int(file["train/origin/column"][n])
            np.testing.assert_array_equal(cut[n], sampling.cut(item.image, *place, 256))
            truth = sampling.cut(item.instances, *place, 256)
            np.testing.assert_array_equal(instances[n] > 0, truth > 0)
            # Within an image's own pixels, objects and labels correspond one to one.
            height, width = (min(256, side) for side in item.image.shape[:2])
            pairs = np.unique(np.stack([truth, instances[n]])[:, :height, :width].reshape(2, -1), axis=1)
            assert len(np.unique(pairs[1])) == pairs.shape[1]
