"""AlexNet on windows: where windows are drawn, what is learned from them, maps in tiles and strips, the nuclei."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from karyobench.errors import KaryobenchError
from karyobench.patches.batch import Batch
from karyobench.systems import alexnet
from karyobench.systems.base import Tile
from karyobench.systems.networks import as_input
from karyobench.systems.windows import maps as maps_of_windows
from karyobench.systems.windows import sampling

CONFIG = {
    "network": {"channels": [32, 32, 64], "hidden": 1024},
    "targets": {"positives": 40, "ring": 3, "elsewhere": 0.3, "stroma": None},
    "loss": {},
    "instances": {"threshold": 0.5, "min_area": 30},
}
BEFORE, AFTER = alexnet.CONTEXT


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return alexnet.build(CONFIG).eval()


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(5).integers(0, 256, (37, 45, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def window_by_window(network, image):
    """Probability of nucleus, each pixel's window cut from the zero-padded image and classified on its own."""
    padded = np.pad(image, ((BEFORE, AFTER), (BEFORE, AFTER), (0, 0)))
    places = np.ndindex(image.shape[:2])
    windows = np.stack([padded[row : row + 32, column : column + 32] for row, column in places])
    with torch.no_grad():
        logits = network(as_input(windows))
    return logits.softmax(dim=1)[:, 1].numpy().reshape(image.shape[:2])


def predict(network, image, r0, c0, r1, c1):
    padded = np.pad(image, ((BEFORE, AFTER), (BEFORE, AFTER), (0, 0)))
    part = padded[r0 : r1 + BEFORE + AFTER, c0 : c1 + BEFORE + AFTER]
    return alexnet.predict(network, Tile(part, "a", (r0, c0, r1, c1), "a", (0, 0, *image.shape[:2]), "he"), CONFIG)


def nuclei():
    """Two patches of 64 pixels: discs in the first, none in the second."""
    rows, columns = np.ogrid[:64, :64]
    truth = np.zeros((2, 64, 64), np.int32)
    for label, (row, column) in enumerate([(20, 22), (40, 45), (2, 60)], start=1):
        truth[0][(rows - row) ** 2 + (columns - column) ** 2 <= 36] = label
    return truth


def places_of(examples):
    """Patch, row and column of the centre of each window, which `coded` wrote into the colours."""
    centres = ((examples[0][:, :, 16, 16] + 1) * 127.5).round().long()
    return centres.numpy()


def coded(truth):
    patch, row, column = np.indices(truth.shape).astype(np.uint8)
    return np.stack([patch, row, column], axis=-1)


def test_the_gradient_reaches_every_weight():
    network = alexnet.build(CONFIG)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    inputs, targets = alexnet.examples(Batch(images, nuclei()), np.random.default_rng(0), CONFIG)
    alexnet.loss(network(inputs), targets, CONFIG).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_patches_of_which_the_truth_says_nothing_teach_nothing():
    network, truth = alexnet.build(CONFIG), nuclei()
    inputs, targets = alexnet.examples(
        Batch(coded(truth), truth, np.ones_like(truth, np.uint8)), np.random.default_rng(0), CONFIG
    )
    assert len(targets) == 0
    outputs = network(inputs)
    loss = alexnet.loss(outputs, targets, CONFIG)
    loss.backward()
    assert loss.item() == 0
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in network.parameters())
    assert alexnet.measures(outputs, targets, CONFIG) == {"rate": 1.0}


def test_dense_maps_are_the_window_loop_s(network, image, window_by_window):
    maps = predict(network, image, 0, 0, *image.shape[:2])
    assert maps.shape == (1, *image.shape[:2])
    assert maps.dtype == np.float32
    assert np.ptp(window_by_window) > 1e-3  # else equality would say little
    np.testing.assert_allclose(maps[0], window_by_window, atol=1e-5, rtol=0)


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (36, 44, 37, 45), (0, 7, 37, 8), (11, 3, 30, 40)])
def test_tiles_make_no_difference(network, image, window_by_window, box):
    r0, c0, r1, c1 = box
    maps = predict(network, image, *box)
    np.testing.assert_allclose(maps[0], window_by_window[r0:r1, c0:c1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("strip", "chunk"), [(100, 100), (45 * 36, 2**12), (2**16, 45 * 5), (45 * 20, 45 * 3)])
def test_strips_and_chunks_make_no_difference(network, image, window_by_window, monkeypatch, strip, chunk):
    monkeypatch.setattr(maps_of_windows, "_STRIP_PIXELS", strip)
    monkeypatch.setattr(maps_of_windows, "_CHUNK_PIXELS", chunk)
    maps = predict(network, image, 0, 0, *image.shape[:2])
    np.testing.assert_allclose(maps[0], window_by_window, atol=1e-5, rtol=0)


def test_likely_stroma_is_a_window_away_from_every_large_dark_blob():
    image = np.full((120, 120, 3), 220, np.uint8)
    image[10:22, 10:22] = (60, 40, 160)
    image[100:105, 100:105] = (60, 40, 160)
    stroma = sampling.likely_stroma(image, window=50, blob=100)
    rows, columns = np.mgrid[:120, :120]
    near = [np.any([(p + i >= 10) & (p + i < 22) for i in range(-25, 25)], axis=0) for p in (rows, columns)]
    np.testing.assert_array_equal(stroma, ~(near[0] & near[1]))
    assert sampling.likely_stroma(np.full((40, 40, 3), 9, np.uint8), window=50, blob=100).all()


def test_windows_beyond_the_ring_come_from_likely_stroma_where_truth_is_sparse(monkeypatch):
    truth, upper = nuclei(), np.arange(64)[:, None] < np.full(64, 30)
    monkeypatch.setattr(sampling, "likely_stroma", lambda image, window, blob: upper)
    config = CONFIG | {"targets": CONFIG["targets"] | {"stroma": {"window": 50, "blob": 100}}}
    _, row, _ = places_of(alexnet.examples(Batch(coded(truth), truth), np.random.default_rng(0), config)).T
    assert row[80:].max() < 30
    assert row[:80].max() >= 30


def test_likely_stroma_stands_in_where_sparse_truth_knows_nothing():
    """All but the nuclei and a ring is unknown, as in Janowczyk's data: there the blobs tell what is background."""
    truth = nuclei()
    distance = np.stack([ndimage.distance_transform_edt(labels == 0) for labels in truth])
    distance[1] = np.inf  # of the second patch nothing is known
    batch = Batch(np.full((*truth.shape, 3), 200, np.uint8), truth, (distance > 3).astype(np.uint8))
    config = CONFIG | {"targets": CONFIG["targets"] | {"stroma": {"window": 50, "blob": 100}}}
    _, classes = alexnet.examples(batch, np.random.default_rng(0), config)
    assert classes.tolist() == [1] * 40 + [0] * (40 + 12)
    _, classes = alexnet.examples(batch, np.random.default_rng(0), CONFIG)
    assert classes.tolist() == [1] * 40 + [0] * 40


def test_the_loss_is_the_mean_surprise_and_the_rate_the_share_of_windows_that_are_right():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.5]])
    targets = torch.tensor([0, 1, 1, 1])
    chances = torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True)
    expected = -torch.log(chances[torch.arange(4), targets]).mean()
    assert torch.isclose(alexnet.loss(logits, targets, CONFIG), expected)
    assert alexnet.measures(logits, targets, CONFIG) == {"rate": 0.75}


def test_windows_are_drawn_from_nuclei_their_ring_and_elsewhere():
    truth = nuclei()
    inputs, targets = alexnet.examples(Batch(coded(truth), truth), np.random.default_rng(1), CONFIG)
    assert inputs.shape == (40 + 40 + 12, 3, 32, 32)
    assert targets.tolist() == [1] * 40 + [0] * 52
    patch, row, column = places_of((inputs, targets)).T
    outside = np.where(truth[0] > 0, 0, ndimage.distance_transform_edt(truth[0] == 0))
    distance = np.stack([outside, np.full(truth[1].shape, np.inf)])[patch, row, column]
    assert (distance[:40] == 0).all()
    assert ((distance[40:80] > 0) & (distance[40:80] <= 3)).all()
    assert (distance[80:] > 3).all()
    assert len({*zip(patch.tolist(), row.tolist(), column.tolist(), strict=True)}) == 92


def test_no_window_stands_on_a_pixel_that_the_truth_says_nothing_of():
    truth = nuclei()
    ignore = np.zeros(truth.shape, np.uint8)
    ignore[:, 25:] = 1
    batch = Batch(coded(truth), truth, ignore)
    _, row, _ = places_of(alexnet.examples(batch, np.random.default_rng(1), CONFIG)).T
    assert row.max() < 25
    hidden = np.where(ignore > 0, 7, truth)
    inputs = [
        alexnet.examples(Batch(coded(truth), t, ignore), np.random.default_rng(1), CONFIG)[0] for t in (truth, hidden)
    ]
    assert torch.equal(*inputs)


def test_windows_lie_wholly_within_their_patch():
    truth = nuclei()
    inputs, _ = alexnet.examples(Batch(coded(truth), truth), np.random.default_rng(1), CONFIG)
    windows = ((inputs + 1) * 127.5).round().long().numpy()
    _, row, column = windows[:, :, 16, 16].T
    offsets = np.arange(32) - 16
    np.testing.assert_array_equal(windows[:, 1, :, 0], row[:, None] + offsets)
    np.testing.assert_array_equal(windows[:, 2, 0], column[:, None] + offsets)


def test_patches_without_nuclei_still_give_windows():
    truth = np.zeros((1, 48, 48), np.int32)
    inputs, targets = alexnet.examples(Batch(coded(truth), truth), np.random.default_rng(1), CONFIG)
    assert len(inputs) == len(targets) == 12
    assert targets.sum() == 0


def test_the_draw_depends_on_the_generator_alone():
    truth = nuclei()
    drawn = [alexnet.examples(Batch(coded(truth), truth), np.random.default_rng(seed), CONFIG)[0] for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@given(st.integers(1, 5), st.integers(0, 50), st.sampled_from([0.0, 0.3, 1.0]))
def test_parts_of_a_batch_draw_as_many_windows_as_the_whole(count, positives, elsewhere):
    """A large nucleus and much background, so that no kind runs out."""
    truth = np.zeros((1, 64, 64), np.int32)
    truth[:, 20:32, 20:40] = 1
    config = CONFIG | {"targets": CONFIG["targets"] | {"positives": positives, "elsewhere": elsewhere}}
    parts = [Batch(coded(truth), truth, part=(place, count)) for place in range(count)]
    drawn = [alexnet.examples(part, np.random.default_rng(0), config)[1] for part in parts]
    assert sum(map(len, drawn)) == 2 * positives + round(elsewhere * positives)
    assert sum(classes.sum() for classes in drawn) == positives
    assert max(map(len, drawn)) - min(map(len, drawn)) <= 3


def test_patches_smaller_than_a_window_are_refused():
    truth = np.zeros((1, 31, 40), np.int32)
    with pytest.raises(KaryobenchError, match="no window of 32 px"):
        alexnet.examples(Batch(coded(truth), truth), np.random.default_rng(0), CONFIG)


def test_nuclei_are_filled_components_of_thirty_pixels():
    maps = np.zeros((1, 30, 40), np.float32)
    maps[0, 2:12, 2:12] = 0.6
    maps[0, 5:8, 5:8] = 0.4  # a hole
    maps[0, 15:20, 15:21] = 0.9  # 30 pixels
    maps[0, 15:20, 30:35] = 0.9  # 25 pixels
    found = alexnet.instances(maps, CONFIG)
    assert found.dtype == np.int32
    areas = np.bincount(found.ravel())[1:]
    assert sorted(areas[areas > 0].tolist()) == [30, 100]
