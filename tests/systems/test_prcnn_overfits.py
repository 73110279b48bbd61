"""The detectors learn four real images by heart, nuclei that touch included."""

from itertools import islice

import numpy as np
import pytest
import torch

from karyobench.datasets import readers
from karyobench.metrics.counts import count_image
from karyobench.metrics.scores import thresholds
from karyobench.patches.batch import Batch
from karyobench.systems import ms_rcnn, prcnn
from karyobench.systems.base import Tile

STEPS = 300
METRICS = {"iou_thresholds": [0.5], "f1_threshold": 0.5}
CONFIG = {
    "network": {
        "blocks": [1, 1, 1],
        "width": 16,
        "pyramid": 48,
        "rpn": 48,
        "hidden": 128,
        "norm": "group",
        "sides": [12, 24, 48, 96],
        "ratios": [0.5, 1, 2],
        "scale": 1,
    },
    "targets": {"anchors": 128, "proposals": 300, "boxes": 64, "positives": 0.33, "nuclei": 400},
    "loss": {},
    "predict": {"tile": None, "resize": None, "proposals": 1000, "confidence": 0.7, "nms": 0.3, "detections": 400},
}
SYSTEMS = {prcnn: CONFIG, ms_rcnn: CONFIG | {"predict": CONFIG["predict"] | {"overlap": 0.25}}}


@pytest.fixture(scope="module")
def fields(mirror):
    """The first images of DSB 2018 of 256 x 256 pixels with ten nuclei or more."""
    if not (mirror / "dsb2018/stage1_train.zip").is_file():
        pytest.skip("the mirror has no DSB 2018")
    receipt = {"dataset": "dsb2018", "files": {"dsb2018/stage1_train.zip": {}}}
    read = readers.find("dsb2018")(mirror, receipt, {"intensity": {"percentiles": [1, 99.8]}})
    return list(islice((f for f in read if f.instances.shape == (256, 256) and f.instances.max() >= 10), 4))


def trained(system, config, fields):
    batch = Batch(*(np.stack(arrays) for arrays in zip(*((f.image, f.instances) for f in fields), strict=True)))
    torch.manual_seed(0)
    network = system.build(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS)
    inputs, targets = system.examples(batch, np.random.default_rng(0), config)
    for step in range(STEPS):
        torch.manual_seed(step)
        optimizer.zero_grad()
        system.loss(network(inputs), targets, config).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimizer.step()
        schedule.step()
    return network.eval()


def average_precision(system, network, config, field):
    """At IoU 0.5: nuclei found, out of nuclei and what was found in vain."""
    tile = Tile(field.image, field.id, (0, 0, 256, 256), field.id, (0, 0, 256, 256), "")
    counts = count_image(field.instances, system.predict(network, tile, config), thresholds(METRICS))
    return counts["tp@0.50"] / (counts["n_true"] + counts["n_pred"] - counts["tp@0.50"])


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda module: module.__name__.split(".")[-1])
def test_four_real_images_are_learnt_by_heart(system, fields):
    network = trained(system, SYSTEMS[system], fields)
    found = [average_precision(system, network, SYSTEMS[system], field) for field in fields]
    assert np.mean(found) > 0.9
