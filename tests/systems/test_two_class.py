"""What the U-Nets of two classes share: shapes, gradients, seeds, weights on disk, their truth, and real nuclei."""

from itertools import islice, pairwise
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from skimage.measure import label

from karyobench.datasets import readers
from karyobench.errors import KaryobenchError
from karyobench.metrics import scores
from karyobench.metrics.counts import count_image
from karyobench.patches.batch import Batch
from karyobench.systems import mcsa_unet, unet3plus, unetpp, weights
from karyobench.systems.base import Tile
from karyobench.systems.dense import two_class
from karyobench.systems.dense.semantic import IGNORED
from karyobench.systems.networks import as_input

SMALL = {
    mcsa_unet: {**mcsa_unet.FULL["network"], "width": 4, "depth": 3, "reduction": 2},
    unetpp: {**unetpp.FULL["network"], "width": 4, "depth": 3},
    unet3plus: {"width": 4, "depth": 3},
}
REST = {"loss": {"class_weights": [1.0, 1.0]}, "instances": {"threshold": 0.5, "min_area": 1}}
METRICS = {"iou_thresholds": [round(0.5 + 0.05 * step, 2) for step in range(10)], "f1_threshold": 0.5}
STAGE1 = "dsb2018/stage1_train.zip"


@pytest.fixture(params=SMALL, ids=lambda module: module.__name__.split(".")[-1])
def system(request) -> ModuleType:
    return request.param


def config_of(system: ModuleType, **network) -> dict:
    return {"network": {**SMALL[system], **network}, **REST}


def built(system: ModuleType, **network) -> torch.nn.Module:
    torch.manual_seed(0)
    return system.build(config_of(system, **network))


def tile(image: np.ndarray) -> Tile:
    height, width = image.shape[:2]
    return Tile(image, "a", (0, 0, height, width), "a", (0, 0, height, width), "he")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def batch(ignore: np.ndarray | None = None) -> Batch:
    truth = np.zeros((2, 16, 24), np.int32)
    truth[0, 2:9, 3:11], truth[0, 2:9, 11:15], truth[1, 10:, 5:] = 1, 2, 7
    return Batch(noise(2, 16, 24), truth, ignore)


def trained(network: torch.nn.Module, system: ModuleType, given: Batch, steps: int, rate: float) -> torch.nn.Module:
    config = config_of(system)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    inputs, targets = system.examples(given, np.random.default_rng(0), config)
    for _ in range(steps):
        optimizer.zero_grad()
        system.loss(network(inputs), targets, config).backward()
        optimizer.step()
    return network


# ---------------------------------------------------------------------- networks


def test_unetpp_has_exactly_the_weights_of_its_paper_and_of_the_port() -> None:
    # Nodes of two convolutions 3x3 with biases. X(i, 0): the encoder. X(i, j): j + 1 maps of its level's channels, one
    # of them from below by a transposed convolution. Heads of two maps.
    def expected(channels: list[int], side: int, heads: int) -> int:
        total = sum(9 * i * o + 9 * o * o + 2 * o for i, o in pairwise([3, *channels]))
        for level, column in ((i, j) for j in range(1, 5) for i in range(5 - j)):
            here, below = channels[level], channels[level + 1]
            total += side * side * below * here + here
            total += 9 * (column + 1) * here * here + 9 * here * here + 2 * here
        return total + heads * (channels[0] * 2 + 2)

    paper, port = ([width * 2**level for level in range(5)] for width in (32, 64))
    assert (expected(paper, 2, 1), expected(port, 4, 4)) == (9_042_210, 47_168_456)
    with torch.device("meta"):
        made = [
            unetpp.build({"network": {**unetpp.FULL["network"], **options}})
            for options in ({}, {"width": 64, "up": 4, "heads": 4})
        ]
    assert [sum(p.numel() for p in network.parameters()) for network in made] == [9_042_210, 47_168_456]


def test_unet3plus_has_exactly_its_weights() -> None:
    # Convolutions 3x3 without biases, a scale and a shift per map; four nodes of five branches of 64 maps each, from
    # the encoder down to the node's level, from nodes of 320 maps below it, and from the lowest level.
    channels = [64, 128, 256, 512, 1024]
    total = sum(9 * i * o + 9 * o * o + 4 * o for i, o in pairwise([3, *channels]))
    for level in range(4):
        sources = [*channels[: level + 1], *[320] * (3 - level), 1024]
        assert len(sources) == 5
        total += sum(9 * source * 64 + 128 for source in sources) + 9 * 320 * 320 + 640
    total += 9 * 320 * 2 + 2
    with torch.device("meta"):
        network = unet3plus.build(unet3plus.FULL)
    assert sum(p.numel() for p in network.parameters()) == total == 26_968_130


def test_deep_supervision_is_the_mean_of_the_last_nodes_heads() -> None:
    # Made equal, the heads of two equal nodes give what one gives; the nodes are equal where all weights are 0.
    network = built(unetpp, heads=2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for head, values in zip(network.heads, ([1.0, 3.0], [5.0, -1.0]), strict=True):
            head.bias.copy_(torch.tensor(values))
    assert network(torch.zeros(1, 3, 8, 8))[0, :, 4, 4].tolist() == [3.0, 1.0]


@pytest.mark.parametrize("options", [{"up": 3}, {"heads": 0}, {"heads": 3}])
def test_unetpp_refuses_what_it_cannot_build(options: dict) -> None:
    with pytest.raises(KaryobenchError, match=f"network.{next(iter(options))}"):
        built(unetpp, **options)


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (8, 8), (33, 50)])
@pytest.mark.parametrize("depth", [2, 4])
def test_a_map_is_a_probability_of_the_tile_s_size(system: ModuleType, shape: tuple, depth: int) -> None:
    maps = system.predict(built(system, depth=depth).eval(), tile(noise(*shape)), config_of(system, depth=depth))
    assert (maps.shape, maps.dtype) == ((1, *shape), np.float32)
    assert 0 < maps.min() <= maps.max() < 1


def test_the_map_is_the_probability_of_the_second_class(system: ModuleType) -> None:
    network, image = built(system).eval(), noise(16, 20)
    with torch.no_grad():
        direct = network(as_input(image[None])).softmax(dim=1)[0, 1].numpy()
    np.testing.assert_array_equal(system.predict(network, tile(image), config_of(system))[0], direct)


def test_the_gradient_reaches_every_weight(system: ModuleType) -> None:
    network, config = built(system), config_of(system)
    inputs, targets = system.examples(batch(), np.random.default_rng(0), config)
    system.loss(network(inputs), targets, config).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_training_is_the_same_under_a_seed_and_after_a_round_to_disk(system: ModuleType, tmp_path) -> None:
    first, second = (trained(built(system), system, batch(), 3, 0.01) for _ in range(2))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    save_file({name: t.contiguous() for name, t in first.state_dict().items()}, tmp_path / "w.safetensors")
    torch.manual_seed(9)
    loaded = system.build(config_of(system))
    weights.load(loaded, tmp_path / "w.safetensors", "train again")
    image = tile(noise(21, 18))
    maps = [system.predict(network.eval(), image, config_of(system)) for network in (first, loaded)]
    np.testing.assert_array_equal(*maps)


# ---------------------------------------------------------------------- truth, loss, measures


def test_nuclei_are_one_class_and_what_is_ignored_none() -> None:
    ignore = np.zeros((2, 16, 24), np.uint8)
    ignore[0, :, :5] = 1
    given = batch(ignore)
    inputs, targets = two_class.examples(given, np.random.default_rng(0), config_of(unet3plus))
    assert (inputs.shape, inputs.dtype, targets.dtype) == ((2, 3, 16, 24), torch.float32, torch.int64)
    np.testing.assert_array_equal(targets, np.where(ignore, IGNORED, given.instances > 0))


def test_patches_that_cannot_be_halved_often_enough_are_refused(system: ModuleType) -> None:
    given = Batch(noise(1, 16, 26), np.zeros((1, 16, 26), np.int32))
    with pytest.raises(KaryobenchError, match=r"patches of 26 px cannot be halved 2 times.* a multiple of 4"):
        system.examples(given, np.random.default_rng(0), config_of(system))


def test_the_loss_weighs_classes_and_leaves_out_what_is_ignored() -> None:
    config = {"loss": {"class_weights": [1.0, 10.0]}}
    logits = torch.zeros(1, 2, 1, 4)
    logits[0, 1, 0, 2] = 100  # a certain hit
    logits[0, 0, 0, 3] = 100  # a certain miss, which is ignored
    classes = torch.tensor([[[0, 1, 1, IGNORED]]])
    expected = (1 + 10) * np.log(2) / (1 + 10 + 10)
    assert two_class.loss(logits, classes, config).item() == pytest.approx(expected, rel=1e-5)
    assert two_class.loss(logits, torch.full_like(classes, IGNORED), config).item() == 0


def test_measures_are_the_scores_of_the_pixels() -> None:
    rng = np.random.default_rng(1)
    true, predicted = rng.random((2, 12, 12, 2)).astype(np.float32)
    truth, told = true.argmax(axis=-1), predicted.argmax(axis=-1)
    ignored = rng.random((12, 12)) < 0.2
    logits = torch.from_numpy(predicted).permute(2, 0, 1)[None]
    targets = torch.from_numpy(np.where(ignored, IGNORED, truth))[None]
    counts = count_image(truth * ~ignored, told * ~ignored, METRICS["iou_thresholds"])
    counts["pixel_tn"] -= int(ignored.sum())
    expected = scores.image_scores(pd.DataFrame([counts]), METRICS).iloc[0]
    measured = two_class.measures(logits, targets, REST)
    assert measured == pytest.approx({"mean_iu": expected["mean_iu"], "dice": expected["dice"]})


def test_measures_of_background_alone_are_one() -> None:
    logits = torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 3, 3)
    assert two_class.measures(logits, torch.zeros(1, 3, 3).long(), REST) == {"mean_iu": 1.0, "dice": 1.0}


# ---------------------------------------------------------------------- nuclei


def test_nuclei_are_the_connected_parts_above_the_threshold_that_are_large_enough() -> None:
    probable = np.zeros((1, 12, 20), np.float32)
    probable[0, 1:5, 1:5], probable[0, 5:9, 5:9] = 0.7, 0.7  # they meet at a corner
    probable[0, 1:4, 12:15] = 0.9
    probable[0, 8:12, 12:20] = 0.6
    found = two_class.instances(probable, {"instances": {"threshold": 0.6, "min_area": 10}})
    np.testing.assert_array_equal(found > 0, (probable[0] == np.float32(0.7)))
    assert len(np.unique(found)) == 2


# ---------------------------------------------------------------------- real images


@pytest.fixture(scope="module")
def nuclei(mirror) -> Batch:
    """The first four fluorescence images of 256x256 pixels in which no nuclei touch, which two classes cannot part."""
    if not (mirror / STAGE1).is_file():
        pytest.skip(f"the mirror has no {mirror / STAGE1}")
    receipt = {"dataset": "dsb2018", "files": {STAGE1: {}}}
    fields = readers.find("dsb2018")(mirror, receipt, {"intensity": {"percentiles": [1, 99.8]}})
    wanted = (field for field in fields if field.image.shape[:2] == (256, 256) and _apart(field.instances))
    four = list(islice(wanted, 4))
    return Batch(np.stack([field.image for field in four]), np.stack([field.instances for field in four]))


def _apart(instances: np.ndarray) -> bool:
    objects = len(np.unique(instances)) - 1
    return objects > 8 and label(instances > 0, connectivity=2).max() == objects


@pytest.mark.slow
def test_four_real_images_are_learnt_by_heart(system: ModuleType, nuclei: Batch) -> None:
    # What is left to learn after a hundred steps is the course of the outlines, which AP counts up to an IoU of 0.95.
    steps, rate = {mcsa_unet: (250, 0.003), unetpp: (700, 0.003), unet3plus: (400, 0.005)}[system]
    network = trained(built(system, width=8), system, nuclei, steps, rate)
    counts = []
    for image, truth in zip(nuclei.images, nuclei.instances, strict=True):
        found = system.instances(system.predict(network.eval(), tile(image), config_of(system)), config_of(system))
        counts.append(count_image(truth, found.astype(np.int32), METRICS["iou_thresholds"]))
    assert scores.image_scores(pd.DataFrame(counts), METRICS)["ap"].mean() > 0.9
