"""The classifiers of windows learn four real images by heart."""

from itertools import islice

import numpy as np
import pytest
import torch
from scipy import ndimage

from karyobench.datasets import readers
from karyobench.metrics.counts import count_image
from karyobench.metrics.scores import thresholds
from karyobench.patches.batch import Batch
from karyobench.systems import alexnet, alexnet_literal, janowczyk_cnn
from karyobench.systems.base import Tile
from karyobench.systems.windows.sampling import CONTEXT

STEPS = {alexnet: 600, alexnet_literal: 600, janowczyk_cnn: 600}
# A window knows its middle pixel's class less well the nearer an outline is: nuclei of a hundred pixels are found, but
# their outlines are off by a pixel here and there, which AP up to an IoU of 0.95 counts as a miss. So AP at 0.5 it is.
METRICS = {"iou_thresholds": [0.5], "f1_threshold": 0.5}
SETTINGS = {
    "targets": {"positives": 96, "ring": 4, "elsewhere": 1.0, "stroma": None},
    "loss": {},
    "instances": {"threshold": 0.5, "min_area": 20},
}


@pytest.fixture(scope="module")
def fields(mirror):
    """The first images of DSB 2018 with ten nuclei or more of which none touch: a map of pixels cannot part those."""
    if not (mirror / "dsb2018/stage1_train.zip").is_file():
        pytest.skip("the mirror has no DSB 2018")
    receipt = {"dataset": "dsb2018", "files": {"dsb2018/stage1_train.zip": {}}}
    read = readers.find("dsb2018")(mirror, receipt, {"intensity": {"percentiles": [1, 99.8]}})
    return list(islice(filter(_apart, read), 4))


def _apart(field):
    nuclei = field.instances.max()
    return field.instances.shape == (256, 256) and nuclei >= 10 and ndimage.label(field.instances)[1] == nuclei


def windows_of(fields):
    """All windows that prediction judges: those at the border look at the zeros around the image."""
    images = np.stack([np.pad(field.image, (CONTEXT, CONTEXT, (0, 0))) for field in fields])
    instances = np.stack([np.pad(field.instances, CONTEXT) for field in fields])
    around = np.stack(
        [np.pad(np.zeros_like(field.instances, np.uint8), CONTEXT, constant_values=1) for field in fields]
    )
    return Batch(images, instances, around)


def trained(system, config, fields, steps):
    batch = windows_of(fields)
    torch.manual_seed(0)
    network = system.build(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        inputs, targets = system.examples(batch, np.random.default_rng(step), config)
        optimizer.zero_grad()
        system.loss(network(inputs), targets, config).backward()
        optimizer.step()
        falling.step()
    return network.eval()


def average_precision(system, network, config, field):
    """At IoU 0.5: nuclei found, out of nuclei and what was found in vain."""
    image = windows_of([field]).images[0]
    maps = system.predict(network, Tile(image, field.id, (0, 0, 256, 256), field.id, (0, 0, 256, 256), ""), config)
    counts = count_image(field.instances, system.instances(maps, config), thresholds(METRICS))
    return counts["tp@0.50"] / (counts["n_true"] + counts["n_pred"] - counts["tp@0.50"])


@pytest.mark.slow
@pytest.mark.parametrize("system", STEPS, ids=lambda module: module.__name__.split(".")[-1])
def test_four_real_images_are_learnt_by_heart(system, fields):
    config = system.FULL | SETTINGS
    network = trained(system, config, fields, STEPS[system])
    assert np.mean([average_precision(system, network, config, field) for field in fields]) > 0.9
