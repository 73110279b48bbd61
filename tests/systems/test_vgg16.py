"""VGG16: its size, what is trained and what is frozen, how it starts from other weights, and how an image is judged."""

import copy
import zipfile
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from karyobench.errors import KaryobenchError
from karyobench.patches.batch import Batch
from karyobench.systems import vgg16
from karyobench.systems.base import Tile
from karyobench.systems.networks import imagenet_input
from karyobench.training import setup
from karyobench.training.checkpoint import weights

SMALL = {"width": 4, "hidden": 8, "free": 0, "norm": False, "dropout": 0.0, "pool": "flatten", "input": 32}
STAGE_B = {"free": 5, "norm": True, "dropout": 0.5}


def config(**network):
    return {
        "network": {**SMALL, **network},
        "classes": ["benign", "malignant"],
        "predict": {"tile": None, "window": 40},
    }


def made(seed=0, **network):
    torch.manual_seed(seed)
    return vgg16.build(config(**network))


def full(**network):
    with torch.device("meta"):
        return vgg16.build({**vgg16.FULL, "network": {**vgg16.FULL["network"], **network}})


def size(module, trainable_only=False):
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable_only)


def images(count, height=40, width=None, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width or height, 3)).astype(np.uint8)


def batch(count=6):
    return Batch(images(count), labels=np.arange(count, dtype=np.int32) % 2)


def tile(image):
    height, width = image.shape[:2]
    return Tile(image, "a", (0, 0, height, width), "a", (0, 0, height, width), "he")


def loss_of(network, settings):
    inputs, targets = vgg16.examples(batch(), np.random.default_rng(0), settings)
    return vgg16.loss(network(inputs), targets, settings)


# ---------------------------------------------------------------------- size and freedom


def test_the_paper_s_network_has_exactly_its_weights():
    # 3x3 convolutions with bias 3-64-64, -128-128, -256-256-256, -512-512-512, -512-512-512; 25088-4096-4096-2.
    channels = [3, 64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    convolutions = sum(9 * before * after + after for before, after in pairwise(channels))
    dense = sum(before * after + after for before, after in ((25088, 4096), (4096, 4096), (4096, 2)))
    network = full()
    assert (size(network.convolutions), size(network.head)) == (convolutions, dense) == (14_714_688, 119_554_050)
    assert size(network) == 134_268_738


@pytest.mark.parametrize(("free", "count"), [(0, 0), (3, 7_079_424), (5, 11_799_040), (13, 14_714_688)])
def test_the_last_convolutions_are_free(free, count):
    network = full(free=free)
    assert size(network.convolutions, trainable_only=True) == count
    assert size(network.head, trainable_only=True) == 119_554_050
    assert size(network) == 134_268_738


def test_batch_normalisation_and_the_light_head_have_their_weights():
    assert size(full(norm=True)) == 134_268_738 + 2 * 2 * 4096
    assert size(full(pool="average", hidden=256).head) == 512 * 256 + 256 + 256 * 2 + 2


@pytest.mark.parametrize("network", [{}, STAGE_B, {"free": 13, "norm": True}, {"pool": "average", "free": 3}])
def test_the_gradient_reaches_every_free_weight_and_no_other(network):
    built = made(**{**network, "dropout": 0.0})
    loss_of(built, config(**network)).backward()
    reached = {name for name, p in built.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert reached == {name for name, p in built.named_parameters() if p.requires_grad}


def test_a_step_changes_no_frozen_weight():
    network = made(**STAGE_B)
    before = copy.deepcopy(network.state_dict())
    free = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(free, lr=0.01)
    network.train()
    loss_of(network, config(**STAGE_B)).backward()
    optimizer.step()
    after, frozen = network.state_dict(), {name for name, p in network.named_parameters() if not p.requires_grad}
    assert len(frozen) == 2 * 8
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert not torch.equal(before["head.0.weight"], after["head.0.weight"])


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ({"free": 14}, r"network\.free is 14"),
        ({"pool": "max"}, "flatten or average"),
        ({"input": 100}, "multiple of 32"),
        ({"input": 0}, "multiple of 32"),
    ],
)
def test_values_that_make_no_network(network, told):
    with pytest.raises(KaryobenchError, match=told):
        made(**network)


# ---------------------------------------------------------------------- learning


def test_inputs_are_images_at_the_network_s_size_as_imagenet_s_weights_expect_them():
    settings, patches = config(), batch()
    inputs, targets = vgg16.examples(patches, np.random.default_rng(0), settings)
    smaller = np.stack([cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in patches.images])
    expected = (smaller / 255.0 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(inputs.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)
    assert targets.dtype == torch.int64 and targets.tolist() == patches.labels.tolist()


def test_loss_and_rate_of_known_logits():
    logits = torch.tensor([[np.log(3.0), 0.0], [np.log(3.0), 0.0]])
    targets = torch.tensor([0, 1])
    assert vgg16.loss(logits, targets, {}).item() == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)
    assert vgg16.measures(logits, targets, {}) == {"rate": 0.5}


def test_a_seed_gives_one_network():
    first, again, other = (made(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.0.weight"], other["head.0.weight"])


# ---------------------------------------------------------------------- judging an image


@pytest.mark.parametrize("shape", [(1, 1), (17, 41), (40, 40), (46, 70), (100, 33)])
def test_probabilities_of_an_image_of_any_size(shape):
    found = vgg16.predict(made().eval(), tile(images(1, *shape)[0]), config())
    assert found.shape == (2,) and found.dtype == np.float32
    assert found.sum() == pytest.approx(1, abs=1e-6)


def test_an_image_of_one_square_is_judged_by_the_network_alone():
    network, image = made().eval(), images(1, 40)[0]
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        direct = network(imagenet_input(small[None])).softmax(dim=1)[0].numpy()
    np.testing.assert_allclose(vgg16.predict(network, tile(image), config()), direct, atol=1e-6)


def test_the_squares_of_an_image_vote_by_their_mean():
    network, image = made().eval(), images(1, 46, 70)[0]
    corners = [image[row : row + 40, column : column + 40] for row in (0, 6) for column in (0, 30)]
    expected = np.mean([vgg16.predict(network, tile(corner), config()) for corner in corners], axis=0)
    np.testing.assert_allclose(vgg16.predict(network, tile(image), config()), expected, atol=1e-6)


@given(st.integers(1, 500), st.integers(1, 100))
def test_squares_cover_a_side_with_the_fewest(length, side):
    starts = vgg16._starts(length, side)
    assert len(starts) == max(1, -(-length // side))
    assert starts[0] == 0 and starts[-1] == max(length - side, 0)
    assert all(0 <= there - here <= side for here, there in pairwise(starts))


# ---------------------------------------------------------------------- starting from other weights


def torchvision(width=4, hidden=8, outputs=1000, seed=9):
    """State dict with torchvision's names for VGG16, in an order that is not that of the layers."""
    draw = torch.Generator().manual_seed(seed)
    tensors, before = {}, 3
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    for place, factor in zip(places, (1, 1, 2, 2, 4, 4, 4, *[8] * 6), strict=True):
        tensors[f"features.{place}.weight"] = torch.randn(factor * width, before, 3, 3, generator=draw)
        tensors[f"features.{place}.bias"] = torch.randn(factor * width, generator=draw)
        before = factor * width
    for place, (inputs, units) in zip((0, 3, 6), ((before, hidden), (hidden, hidden), (hidden, outputs)), strict=True):
        tensors[f"classifier.{place}.weight"] = torch.randn(units, inputs, generator=draw)
        tensors[f"classifier.{place}.bias"] = torch.randn(units, generator=draw)
    names = sorted(tensors, key=lambda name: name[::-1])
    return {name: tensors[name] for name in names}


def convolutions(network):
    return [layer for layer in network.convolutions if isinstance(layer, torch.nn.Conv2d)]


def test_torchvision_s_weights_are_known_by_order_and_shape():
    given_weights = torchvision()
    network = made(**STAGE_B)
    fresh = network.head[-1].weight.clone()
    vgg16.adopt(network, given_weights, config(**STAGE_B))
    for place, layer in zip((0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), convolutions(network), strict=True):
        assert torch.equal(layer.weight, given_weights[f"features.{place}.weight"])
        assert torch.equal(layer.bias, given_weights[f"features.{place}.bias"])
    dense = [layer for layer in network.head if isinstance(layer, torch.nn.Linear)]
    assert torch.equal(dense[0].weight, given_weights["classifier.0.weight"])
    assert torch.equal(dense[1].bias, given_weights["classifier.3.bias"])
    assert torch.equal(dense[2].weight, fresh)  # ImageNet's thousand classes are not ours


def test_convolutions_alone_leave_the_head_as_it_is():
    network = made()
    head = copy.deepcopy(network.head.state_dict())
    named = {
        f"convolutions.{i}.{kind}": t
        for i, layer in enumerate(convolutions(made(5)))
        for kind, t in layer.state_dict().items()
    }
    vgg16.adopt(network, named, config())
    assert all(
        torch.equal(a.weight, b.weight) for a, b in zip(convolutions(network), convolutions(made(5)), strict=True)
    )
    assert all(torch.equal(head[name], tensor) for name, tensor in network.head.state_dict().items())


@pytest.mark.parametrize(("batch", "ranks", "norm"), [(1, 1, True), (4, 4, True), (1, 1, False)])
def test_batch_normalisation_needs_two_patches_on_a_rank(batch, ranks, norm):
    network, settings = made(0, norm=norm), {"batch": batch, "ranks": ranks}
    if norm:
        with pytest.raises(KaryobenchError, match=rf"train.batch: {batch} on {ranks} ranks.*raise train.batch"):
            setup.check_normalisation(network, settings)
    else:
        setup.check_normalisation(network, settings)


def test_stage_b_begins_where_stage_a_ended(tmp_path):
    first = made(3)
    save_file(weights(first), tmp_path / "a.safetensors")
    second = made(4, **STAGE_B)
    vgg16.adopt(second, load_file(tmp_path / "a.safetensors"), config(**STAGE_B))
    for before, after in zip(convolutions(first), convolutions(second), strict=True):
        assert torch.equal(before.weight, after.weight) and torch.equal(before.bias, after.bias)
    dense = [[layer for layer in network.head if isinstance(layer, torch.nn.Linear)] for network in (first, second)]
    assert all(torch.equal(a.weight, b.weight) and torch.equal(a.bias, b.bias) for a, b in zip(*dense, strict=True))
    norms = [layer for layer in second.head if isinstance(layer, torch.nn.BatchNorm1d)]
    assert len(norms) == 2 and all(norm.running_mean.abs().sum() == 0 for norm in norms)


def test_weights_come_back_bit_for_bit_from_a_file(tmp_path):
    network = made(7, **STAGE_B)
    network.train()
    network(torch.randn(4, 3, 32, 32))  # batch statistics that are not those of the start
    save_file(weights(network), tmp_path / "w.safetensors")
    again = made(8, **STAGE_B)
    vgg16.adopt(again, load_file(tmp_path / "w.safetensors"), config(**STAGE_B))
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in network.state_dict().items())


def with_norms(tensors):
    return tensors | {
        f"features.{place}.{kind}": torch.ones(4)
        for place in (1, 3)
        for kind in ("weight", "bias", "running_mean", "running_var")
    }


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"layer1.weight": torch.ones(4, 3, 7, 7)}, "1 convolutions, VGG16 has 13"),
        ({"fc.weight": torch.ones(4, 3)}, "0 convolutions, VGG16 has 13"),
        (torchvision(width=8), r"convolution 1, 'features\.0'.*network\.width 64"),
        (with_norms(torchvision()), "batch normalisation between their convolutions"),
    ],
)
def test_other_weights_are_refused(tensors, told):
    with pytest.raises(KaryobenchError, match=told):
        vgg16.adopt(made(), tensors, config())


# ---------------------------------------------------------------------- real images


def breakhis(mirror: Path):
    """The images of the mirror's subset with their classes, as places in the record's."""
    found, labels = [], []
    with zipfile.ZipFile(mirror / "breakhis" / "BreaKHis_v1_subset.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".png")):
            encoded = np.frombuffer(archive.read(name), np.uint8)
            found.append(cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
            labels.append(int("_M_" in name))
    return found, labels


@pytest.mark.slow
def test_eight_real_images_are_learnt_by_heart(mirror):
    settings = config(width=8, hidden=32, free=13, norm=True, input=96)
    settings["predict"]["window"] = 460
    found, labels = breakhis(mirror)
    assert (len(labels), sum(labels)) == (8, 4)
    torch.manual_seed(0)
    network = vgg16.build(settings).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.0003)
    squares = np.stack([image[:460, start : start + 460] for image in found for start in (0, 240)])
    inputs, targets = vgg16.examples(Batch(squares, labels=np.repeat(labels, 2)), np.random.default_rng(0), settings)
    for _ in range(60):
        optimizer.zero_grad()
        vgg16.loss(network(inputs), targets, settings).backward()
        optimizer.step()
    network.eval()
    right = [vgg16.predict(network, tile(image), settings)[label] for image, label in zip(found, labels, strict=True)]
    assert min(right) > 0.8
