"""Classifiers of windows: their layers, and maps of an image equal to one call per window, to 1e-5."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from safetensors.torch import save_file

from karyobench.errors import KaryobenchError
from karyobench.systems import alexnet, alexnet_literal, janowczyk_cnn
from karyobench.systems.networks import as_input
from karyobench.systems.weights import load
from karyobench.systems.windows.network import Pool, WindowNet
from karyobench.systems.windows.plan import Geometry

SYSTEMS = [alexnet, alexnet_literal, janowczyk_cnn]
TARGETS = {"positives": 24, "ring": 3, "elsewhere": 0.3, "stroma": None}
_EVERY = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.__name__.split(".")[-1])


def network_of(system, seed=3):
    torch.manual_seed(seed)
    return system.build(system.FULL).eval()


def dense(network, images):
    """Logits (N, classes, h, w) of all windows of images (N, 3, H, W) at once."""
    return network.classify(*network.blocks(images))


def window_by_window(network, images, window):
    """Logits (N, classes, h, w) of images (N, 3, H, W): every window on its own, without the rest of the image."""
    cut = images.unfold(2, window, 1).unfold(3, window, 1)
    windows = cut.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, window, window)
    return network(windows).reshape(*cut.shape[:1], *cut.shape[2:4], -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("system", "sides"),
    [
        (alexnet, [30, 14, 12, 5, 3, 1]),
        (alexnet_literal, [32, 11, 11, 4, 4, 1]),
        (janowczyk_cnn, [32, 16, 16, 8, 8, 4]),
    ],
    ids=["alexnet", "alexnet_literal", "janowczyk_cnn"],
)
def test_a_window_shrinks_as_its_paper_has_it(system, sides):
    network, x, found = network_of(system), torch.zeros(1, 3, 32, 32), []
    for convolution, pool in zip(network.features, network.pools, strict=True):
        x = convolution(x)
        pooled = pool(x)
        found += [x.shape[-1], pooled.shape[-1]]
        x = pooled
    assert found == sides


@pytest.mark.parametrize(
    ("system", "parameters"),
    [
        # 3x3 convolutions 3-32-32-64, fully connected 64-1024-1024-2, all with bias.
        (alexnet, 28 * 32 + 289 * 32 + 289 * 64 + 65 * 1024 + 1025 * 1024 + 1025 * 2),
        (alexnet_literal, 1_146_850),
        # 5x5 convolutions 3-32-32-64, fully connected 4 x 4 x 64 - 64 - 2.
        (janowczyk_cnn, 76 * 32 + 801 * 32 + 801 * 64 + 1025 * 64 + 65 * 2),
    ],
    ids=["alexnet", "alexnet_literal", "janowczyk_cnn"],
)
def test_networks_have_exactly_their_weights(system, parameters):
    assert sum(p.numel() for p in network_of(system).parameters()) == parameters
    assert parameters in (1_146_850, 145_058)


@_EVERY
@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (13, 6)])
def test_maps_are_one_call_per_window(system, shape):
    network = network_of(system)
    images = torch.randn(2, 3, 31 + shape[0], 31 + shape[1], generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found, expected = dense(network, images), window_by_window(network, images, 32)
    assert found.shape == (2, 2, *shape)
    torch.testing.assert_close(found.softmax(dim=1), expected.softmax(dim=1), atol=1e-5, rtol=0)
    # Equality would say little of a network that answers the same to every window.
    spread = expected.softmax(dim=1)[:, 1]
    assert shape == (1, 1) or spread.max() - spread.min() > 1e-3


@_EVERY
def test_a_window_at_the_image_s_border_sees_the_zeros_around_it(system):
    network = network_of(system)
    image = np.random.default_rng(5).integers(0, 256, (9, 14, 3)).astype(np.uint8)
    padded = as_input(np.pad(image, ((16, 15), (16, 15), (0, 0)))[None])
    with torch.inference_mode():
        found, expected = dense(network, padded), window_by_window(network, padded, 32)
    torch.testing.assert_close(found.softmax(dim=1), expected.softmax(dim=1), atol=1e-5, rtol=0)


def test_only_padding_needs_more_than_one_map_per_layer():
    """The kinds of positions per axis; the literal network's windows have a left border alone, see its margin."""
    kinds = {system: [len(step.kinds) for step in network_of(system).plans] for system in SYSTEMS}
    assert kinds[alexnet] == [1] * 7
    assert kinds[alexnet_literal] == [2, 2, 3, 2, 2, 1, 1]
    assert kinds[janowczyk_cnn] == [5, 4, 8, 6, 8, 4, 1]
    assert [network_of(system).margin for system in SYSTEMS] == [(0, 3), (0, 5), (0, 0)]


@st.composite
def networks(draw):
    """Small networks of any kernel, padding, pool and stride, with the side of their windows."""
    kernel = draw(st.integers(1, 4))
    convolution = Geometry(kernel, padding=draw(st.integers(0, kernel // 2)))
    pools = [
        Pool(Geometry(draw(st.integers(1, 3)), draw(st.integers(1, 4)), ceil=draw(st.booleans())), draw(st.booleans()))
        for _ in range(draw(st.integers(1, 3)))
    ]
    window, left = draw(st.integers(6, 17)), 0
    left = window
    for pool in pools:
        left = pool.geometry.positions(convolution.positions(left))
    assume(1 <= left <= 4)
    torch.manual_seed(draw(st.integers(0, 5)))
    return WindowNet(window, [3] * len(pools), convolution, pools, [5], draw(st.booleans()), classes=3).double()


@given(networks(), st.integers(1, 4), st.integers(1, 7))
def test_any_network_s_maps_are_one_call_per_window(network, height, width):
    images = torch.randn(1, 3, network.window - 1 + height, network.window - 1 + width, dtype=torch.float64)
    with torch.inference_mode():
        found, expected = dense(network, images), window_by_window(network, images, network.window)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


@given(networks(), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3))
def test_some_rows_of_the_maps_tell_of_their_windows_alone(network, rows, above, below):
    height = above + rows + below
    images = torch.randn(1, 3, network.window - 1 + height, network.window + 1, dtype=torch.float64)
    with torch.inference_mode():
        maps = network.blocks(images)
        some = network.classify(*(whole[:, :, above : above + rows + whole.shape[2] - height] for whole in maps))
        every = network.classify(*maps)
    torch.testing.assert_close(some, every[:, :, above : above + rows], atol=1e-12, rtol=0)


@given(networks())
def test_a_window_s_margin_is_what_it_never_looks_at(network):
    inner = slice(network.margin[0], network.window - network.margin[1])
    x = torch.randn(1, 3, network.window, network.window, dtype=torch.float64)
    other = torch.randn(x.shape, dtype=torch.float64)
    other[:, :, inner, inner] = x[:, :, inner, inner]
    with torch.inference_mode():
        assert torch.equal(network(other), network(x))


def test_more_blocks_than_a_window_has_room_for_are_refused():
    with pytest.raises(KaryobenchError, match="a window of 32 px has no room for 4 blocks"):
        alexnet.build({"network": {"channels": [8, 8, 8, 8], "hidden": 8}})


def test_pools_are_those_of_caffe():
    """Last steps are cut short at the border; a mean is that of what is left. ReLU comes first, as it may."""
    x = np.random.default_rng(0).normal(size=(1, 1, 8, 8))
    rectified = np.maximum(x, 0)
    for pool, combine in [(Pool(Geometry(3, 2, ceil=True)), np.max), (Pool(Geometry(3, 2, ceil=True), True), np.mean)]:
        expected = [[combine(rectified[0, 0, r : r + 3, c : c + 3]) for c in range(0, 8, 2)] for r in range(0, 8, 2)]
        np.testing.assert_allclose(pool(torch.from_numpy(x))[0, 0].numpy(), expected)


def test_the_tutorial_s_network_has_no_relu_between_its_fully_connected_layers():
    network = network_of(janowczyk_cnn)
    with torch.no_grad():
        for layer in (*network.features, *network.classifier):
            layer.bias.zero_()
        network.classifier[0].weight.neg_().abs_().neg_()  # what comes in is at least 0, so all that comes out is not
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert network(x).abs().max() > 0
        rectified = network_of(janowczyk_cnn)
        rectified.load_state_dict(network.state_dict())
        rectified.rectify = True
        assert network_is_zero(rectified(x))


def network_is_zero(outputs):
    return torch.equal(outputs, torch.zeros_like(outputs))


@_EVERY
def test_the_gradient_reaches_every_weight(system):
    network = network_of(system).train()
    images = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    system.loss(network(images), torch.arange(64) % 2, system.FULL).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@_EVERY
def test_steps_are_the_same_under_a_seed(system):
    states = []
    for _ in range(2):
        network = network_of(system).train()
        optimizer = torch.optim.Adagrad(network.parameters(), lr=0.01)
        for _ in range(2):
            optimizer.zero_grad()
            images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
            system.loss(network(images), torch.arange(8) % 2, system.FULL).backward()
            optimizer.step()
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], network_of(system).state_dict()[name]) for name in states[0])


@_EVERY
def test_saved_weights_give_the_very_same_maps(system, tmp_path):
    network, other = network_of(system), network_of(system, seed=4)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, tmp_path / "w.safetensors")
    load(other, tmp_path / "w.safetensors", "")
    image = torch.randn(1, 3, 36, 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(dense(network, image), dense(other, image))


@pytest.mark.parametrize("system", [alexnet, alexnet_literal], ids=["alexnet", "alexnet_literal"])
@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_the_graphs_are_free_of_the_image_s_size(system):
    """What `GRAPHS` promises: a trace with one size holds for others."""
    network, small = network_of(system), torch.zeros(1, 3, 33, 34)
    with torch.no_grad():
        maps = network.blocks(small)
    traced = torch.jit.trace_module(network, {"blocks": small, "classify": maps})
    image = torch.randn(1, 3, 41, 37, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(dense(traced, image), dense(network, image), atol=1e-6, rtol=0)
