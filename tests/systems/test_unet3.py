"""U-Net with a boundary class: its network, its class maps against the definition, and nuclei from perfect maps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from karyobench.patches.batch import Batch
from karyobench.systems import unet3
from karyobench.systems.base import Tile
from karyobench.systems.networks import as_input

CONFIG = {
    "network": {"width": 4, "depth": 3},
    "targets": {"boundary": 1},
    "loss": {"class_weights": [1, 1, 2]},
    "instances": {"foreground": 0.5, "inside": 0.5, "erode": 1, "min_marker": 4, "min_area": 9},
}
SMALL_MAPS = hnp.arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return unet3.build(CONFIG)


def tile(image):
    height, width = image.shape[:2]
    return Tile(image, "a", (0, 0, height, width), "a", (0, 0, height, width), "he")


def squares():
    """Two nuclei that share an edge, one alone, one cut by the border."""
    truth = np.zeros((40, 50), np.int32)
    truth[5:17, 5:17], truth[5:17, 17:29] = 1, 2
    truth[25:34, 12:24], truth[30:40, 35:47] = 3, 4
    return truth


def perfect_maps(truth, thickness=1):
    return np.eye(3, dtype=np.float32)[unet3.class_map(truth, thickness)].transpose(2, 0, 1)


def test_the_network_of_the_demo_has_exactly_its_weights():
    # Convolutions 3x3 without bias, each with a scale and a shift per channel: encoder 3-16-16, 16-32-32, 32-64-64,
    # 64-128-128; decoder (128 + 64)-64-64, (64 + 32)-32-32, (32 + 16)-16-16; 1x1 head 16-3 with a bias.
    pairs = [(3, 16), (16, 32), (32, 64), (64, 128), (192, 64), (96, 32), (48, 16)]
    expected = sum(9 * i * o + 9 * o * o + 4 * o for i, o in pairs) + 16 * 3 + 3
    network = unet3.build({"network": {"width": 16, "depth": 4}})
    assert sum(p.numel() for p in network.parameters()) == expected == 488_035


def test_the_gradient_reaches_every_weight():
    network = unet3.build(CONFIG)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    inputs, targets = unet3.examples(Batch(images, np.stack([squares()[:32, :32]] * 2)), rng, CONFIG)
    unet3.loss(network(inputs), targets, CONFIG).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (8, 8), (33, 50)])
def test_maps_are_probabilities_of_the_tile_s_size(network, shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8)
    maps = unet3.predict(network.eval(), tile(image), CONFIG)
    assert maps.shape == (3, *shape)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps.sum(axis=0), 1, atol=1e-6)


def test_padding_to_a_multiple_only_adds_pixels(network):
    image = np.random.default_rng(2).integers(0, 256, (16, 20, 3)).astype(np.uint8)
    with torch.no_grad():
        direct = network.eval()(as_input(image[None]))[0].softmax(dim=0).numpy()
    np.testing.assert_allclose(unet3.predict(network, tile(image), CONFIG), direct, atol=1e-6)


@given(SMALL_MAPS, st.integers(1, 3))
@settings(deadline=None)
def test_boundary_is_dilation_minus_erosion_of_each_nucleus(truth, thickness):
    edge = np.zeros(truth.shape, bool)
    for label in np.unique(truth[truth > 0]):
        nucleus = truth == label
        grown = ndimage.binary_dilation(nucleus, iterations=thickness)
        edge |= grown & ~ndimage.binary_erosion(nucleus, iterations=thickness, border_value=1)
    expected = np.where(edge, 2, np.where(truth > 0, 1, 0))
    np.testing.assert_array_equal(unet3.class_map(truth, thickness), expected)


@pytest.mark.parametrize("thickness", [1, 2])
def test_the_loss_does_not_see_what_is_ignored(network, thickness):
    truth, ignore = squares()[None, :32, :32], np.zeros((1, 32, 32), np.uint8)
    ignore[:, 10:20, 5:25] = 1
    config = CONFIG | {"targets": {"boundary": thickness}}
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    losses = []
    for labels in (truth, np.where(ignore, 9, truth), np.where(ignore, 0, truth)):
        inputs, targets = unet3.examples(Batch(images, labels, ignore), np.random.default_rng(0), config)
        losses.append(unet3.loss(network(inputs), targets, config).item())
    assert losses[0] == losses[1] == losses[2] > 0
    _, nothing = unet3.examples(Batch(images, truth, np.ones_like(ignore)), np.random.default_rng(0), config)
    assert unet3.loss(network(inputs), nothing, config).item() == 0


def test_loss_weighs_classes():
    # Logits 0 give every class probability 1/3; the weighted mean of equal terms is that term.
    logits, classes = torch.zeros(1, 3, 1, 3), torch.tensor([[[0, 1, 2]]])
    assert unet3.loss(logits, classes, CONFIG).item() == pytest.approx(np.log(3))
    # The boundary pixel is certain and right, the others stay at log 3: weights 1, 1, 2 give (1 + 1) / 4 of it.
    logits[0, 2, 0, 2] = 100
    assert unet3.loss(logits, classes, CONFIG).item() == pytest.approx(np.log(3) / 2, rel=1e-5)


@pytest.mark.parametrize("thickness", [1, 2])
def test_perfect_maps_give_back_the_nuclei(thickness):
    truth = squares()
    settings = {**CONFIG["instances"], "erode": thickness}
    found = unet3.instances(perfect_maps(truth, thickness), {"instances": settings})
    np.testing.assert_array_equal(found, truth)


def test_foreground_without_a_marker_and_small_nuclei_are_dropped():
    truth = squares()
    truth[1:3, 40:42] = 5
    maps = perfect_maps(truth)
    np.testing.assert_array_equal(np.unique(unet3.instances(maps, CONFIG)), [0, 1, 2, 3, 4])
    settings = {**CONFIG["instances"], "min_area": 9 * 12 + 1}
    np.testing.assert_array_equal(np.unique(unet3.instances(maps, {"instances": settings})), [0, 1, 2, 4])


def test_nothing_is_found_on_background():
    maps = perfect_maps(np.zeros((12, 9), np.int32))
    np.testing.assert_array_equal(unet3.instances(maps, CONFIG), np.zeros((12, 9)))


def test_a_few_steps_learn_one_patch():
    torch.manual_seed(0)
    network = unet3.build(CONFIG)
    truth = squares()[:32, :40]
    image = np.where(truth[..., None] > 0, (90, 60, 140), (230, 190, 220)).astype(np.uint8)
    inputs, targets = unet3.examples(Batch(image[None], truth[None]), np.random.default_rng(0), CONFIG)
    optimizer = torch.optim.Adam(network.parameters(), 0.03)
    for _ in range(60):
        optimizer.zero_grad()
        loss = unet3.loss(network(inputs), targets, CONFIG)
        loss.backward()
        optimizer.step()
    assert (network(inputs).argmax(dim=1) == targets).float().mean() > 0.97
