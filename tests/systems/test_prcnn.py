"""P-RCNN: the paper's size exactly, truth of every kind, five losses, tiles of every size, and four real images."""

import numpy as np
import pytest
import torch
from torch import nn

from karyobench.errors import KaryobenchError
from karyobench.patches.batch import Batch
from karyobench.systems import prcnn
from karyobench.systems.base import Tile
from karyobench.systems.networks import IMAGENET_MEAN, IMAGENET_STD
from karyobench.systems.rcnn.network import anchors_of

CONFIG = {
    "network": {
        "blocks": [1, 1, 1],
        "width": 8,
        "pyramid": 16,
        "rpn": 16,
        "hidden": 32,
        "norm": "group",
        "sides": [16, 32, 64, 64],
        "ratios": [0.5, 1, 2],
        "scale": 1,
    },
    "targets": {"anchors": 64, "proposals": 100, "boxes": 24, "positives": 0.33, "nuclei": 400},
    "loss": {},
    "predict": {"tile": 512, "resize": None, "proposals": 100, "confidence": 0.5, "nms": 0.3, "detections": 400},
}


def changed(**sections):
    return CONFIG | {name: CONFIG[name] | section for name, section in sections.items()}


def built(config=CONFIG, seed=0):
    torch.manual_seed(seed)
    return prcnn.build(config)


def squares(side=96, count=1):
    """Patches with dark squares of 20 pixels on a light ground."""
    truth = np.zeros((count, side, side), np.int32)
    truth[:, 6:26, 8:28], truth[:, 50:70, 40:60], truth[:, 60:80, 70:90] = 3, 1, 7
    image = np.where(truth[..., None] > 0, (90, 60, 140), (230, 190, 220)).astype(np.uint8)
    return Batch(image, truth)


def outputs_of(network, batch, config=CONFIG, seed=1):
    inputs, targets = prcnn.examples(batch, np.random.default_rng(0), config)
    torch.manual_seed(seed)
    return network(inputs), targets


def tile(image):
    height, width = image.shape[:2]
    return Tile(image, "a", (0, 0, height, width), "a", (0, 0, height, width), "he")


# ---------------------------------------------------------------------- the network


@pytest.mark.parametrize(
    ("blocks", "trainable", "frozen"), [([3, 4, 23, 3], 63_621_918, 111_488), ([3, 4, 6, 3], 44_603_678, 59_264)]
)
def test_the_paper_s_network_has_exactly_its_weights(blocks, trainable, frozen):
    with torch.device("meta"):
        network = prcnn.build({"network": prcnn.FULL["network"] | {"blocks": blocks}})
    sizes = {True: 0, False: 0}
    for parameter in network.parameters():
        sizes[parameter.requires_grad] += parameter.numel()
    assert sizes == {True: trainable, False: frozen}
    assert trainable != 63_621_918 or sum(sizes.values()) == 63_733_406


@pytest.mark.parametrize("norm", ["frozen", "batch", "group"])
def test_the_gradient_reaches_every_weight(norm):
    config = changed(network={"norm": norm})
    network = built(config)
    prcnn.loss(*outputs_of(network, squares(count=2), config), config).backward()
    trained = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
    assert [name for name, grad in trained.items() if grad is None or not grad.abs().sum() > 0] == []


def test_sides_are_named_for_each_level():
    with pytest.raises(KaryobenchError, match="3 sides of anchors for the 4 levels"):
        built(changed(network={"sides": [8, 16, 32]}))


# ---------------------------------------------------------------------- examples


def test_the_truth_lists_each_nucleus_at_the_input_s_scale():
    batch = squares()
    (images, truth), targets = prcnn.examples(batch, np.random.default_rng(0), changed(network={"scale": 2}))
    assert targets == ()
    assert images.shape == (1, 3, 192, 192)
    assert truth.labels.tolist() == [[1, 3, 7]]
    assert truth.boxes[0].tolist() == [[100, 80, 140, 120], [12, 16, 52, 56], [120, 140, 160, 180]]
    np.testing.assert_array_equal(truth.instances[0], batch.instances[0].repeat(2, axis=0).repeat(2, axis=1))
    assert not truth.ignore.any()


@pytest.mark.parametrize("scale", [0.01, 0.7, 1.25, 1.5, 2])
def test_truth_and_image_stay_aligned_at_any_scale(scale):
    columns = np.tile(np.arange(33), (33, 1))  # both tell the column of a pixel, the image in fives
    batch = Batch(np.repeat(columns[None, :, :, None] * 5, 3, axis=3).astype(np.uint8), columns[None].astype(np.int32))
    (images, truth), _ = prcnn.examples(batch, np.random.default_rng(0), changed(network={"scale": scale}))
    assert truth.instances.shape[1:] == images.shape[2:]
    seen = (images[0, 0].numpy() * IMAGENET_STD[0] + IMAGENET_MEAN[0]) / 5
    assert np.abs(seen - truth.instances[0].numpy()).max() < 0.65  # half a pixel, and the rounding of grey levels


def test_patches_have_as_many_nuclei_as_they_have():
    batch = squares(count=3)
    batch.instances[1] = 0
    batch.instances[2] = np.arange(96 * 96).reshape(96, 96) % 500  # 499 labels, each all over the patch
    (_, truth), _ = prcnn.examples(batch, np.random.default_rng(0), CONFIG)
    assert (truth.labels > 0).sum(dim=1).tolist() == [3, 0, 400]
    assert len(truth.labels[2].unique()) == 400
    ignored = Batch(batch.images, batch.instances, ignore=(batch.instances == 3).astype(np.uint8))
    (_, truth), _ = prcnn.examples(ignored, np.random.default_rng(0), CONFIG)
    assert truth.ignore[0].sum() == 400


# ---------------------------------------------------------------------- losses


def test_the_loss_is_the_sum_of_its_five_parts():
    network = built()
    outputs, targets = outputs_of(network, squares(count=2))
    parts = prcnn.measures(outputs, targets, CONFIG)
    assert len(parts) == 5
    assert prcnn.loss(outputs, targets, CONFIG).item() == pytest.approx(sum(parts.values()), rel=1e-5)
    # An untrained network is undecided: log 2 for every choice between two.
    for name in ("anchor_class_loss", "class_loss", "mask_loss"):
        assert parts[name] == pytest.approx(np.log(2), abs=0.1)


def odd_patches():
    """Truths that are easily forgotten: no nucleus, one of a pixel, one that is the whole patch, 500 of them."""
    crowd = np.zeros((96, 96), np.int32)
    crowd[::4, ::4] = np.arange(1, 577).reshape(24, 24)
    dot = np.zeros((96, 96), np.int32)
    dot[95, 0] = 9
    return {"none": crowd * 0, "a pixel": dot, "all": crowd * 0 + 1, "a crowd": crowd}


@pytest.mark.parametrize("kind", odd_patches())
def test_odd_truths_give_a_finite_loss_and_gradient(kind):
    network, truth = built(), odd_patches()[kind]
    image = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3)).astype(np.uint8)
    loss = prcnn.loss(*outputs_of(network, Batch(image, truth[None])), CONFIG)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("side", [33, 96, 101])
def test_patches_of_any_side_are_learnt_from(side):
    image = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.uint8)
    truth = np.zeros((1, side, side), np.int32)
    truth[0, 5:20, side - 12 :] = 1
    outputs, _ = outputs_of(built(), Batch(image, truth))
    assert outputs.mask_logits.shape == outputs.masks.shape == (outputs.box_classes.sum(), 28, 28)
    assert len(outputs.masks) > 0


def test_a_step_depends_on_the_seed_alone():
    losses = []
    for seed in (1, 1, 2):
        network = built()
        outputs, targets = outputs_of(network, squares(count=2), seed=seed)
        prcnn.loss(outputs, targets, CONFIG).backward()
        losses.append([outputs.anchor_logits.sum().item(), network.backbone.conv1.weight.grad.sum().item()])
    assert losses[0] == losses[1] != losses[2]


# ---------------------------------------------------------------------- prediction


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (64, 64), (97, 130)])
@pytest.mark.parametrize("resize", [None, 50])
def test_an_instance_map_has_the_tile_s_size(shape, resize):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8)
    config = changed(predict={"confidence": 0.1, "resize": resize})
    found = prcnn.predict(built().eval(), tile(image), config)
    assert found.shape == shape
    assert found.dtype == np.int32
    np.testing.assert_array_equal(np.unique(found[found > 0]) <= 400, True)


def test_nothing_is_found_where_nothing_is_sure():
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert prcnn.predict(built().eval(), tile(image), changed(predict={"confidence": 0.999})).max() == 0


def test_prediction_asks_the_network_for_its_graphs_alone():
    network = built().eval()

    class Graphs:
        """What an exported network is: the named graphs, and no more."""

        def __init__(self):
            for name in prcnn.GRAPHS:
                setattr(self, name, getattr(network, name))

        def parameters(self):
            return network.parameters()

    image = np.random.default_rng(1).integers(0, 256, (70, 90, 3)).astype(np.uint8)
    config = changed(predict={"confidence": 0.1})
    whole = prcnn.predict(network, tile(image), config)
    assert whole.max() > 0
    np.testing.assert_array_equal(prcnn.predict(Graphs(), tile(image), config), whole)


class OneNucleus:
    """A network that is sure of the anchor of 16 pixels in one place of the finest level, and fills it."""

    def __init__(self, row, column):
        self.row, self.column = row, column

    def parameters(self):
        return iter([torch.zeros(1)])

    def trunk(self, images):
        logits = torch.zeros(1, len(anchors_of(images, CONFIG["network"])), 2)
        logits[0, (self.row * (images.shape[3] // 4) + self.column) * 3 + 1, 1] = 9
        levels = [torch.zeros(1, 4, images.shape[2] // stride, images.shape[3] // stride) for stride in (4, 8, 16)]
        return *levels, logits, torch.zeros(1, logits.shape[1], 4)

    def box_head(self, pooled):
        sure = torch.arange(len(pooled)) == 0
        return torch.stack([torch.zeros(len(pooled)), sure * 18.0 - 9], dim=1), torch.zeros(len(pooled), 2, 4)

    def mask_head(self, pooled):
        return torch.full((len(pooled), 2, 28, 28), 9.0)


@pytest.mark.parametrize(
    ("scale", "resize", "box"),
    [(1, None, (6, 18, 22, 34)), (2, None, (3, 9, 11, 17)), (1, 42, (12, 36, 44, 68)), (2, 126, (4, 12, 15, 23))],
)
def test_nuclei_lie_where_they_were_seen_at_any_scale(scale, resize, box):
    # The anchor in row 3 and column 6 covers rows 6 to 22 and columns 18 to 34 of the input.
    config = changed(network={"scale": scale}, predict={"resize": resize})
    found = prcnn.predict(OneNucleus(3, 6), tile(np.zeros((60, 84, 3), np.uint8)), config)
    r0, c0, r1, c1 = box
    expected = np.zeros((60, 84), np.int32)
    expected[r0:r1, c0:c1] = 1
    np.testing.assert_array_equal(found, expected)


def test_weights_come_back_bit_for_bit(tmp_path):
    from safetensors.torch import save_file

    from karyobench.systems import weights

    network, other = built(seed=0).eval(), built(seed=1).eval()
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, tmp_path / "weights.safetensors")
    weights.load(other, tmp_path / "weights.safetensors", "")
    image = np.random.default_rng(1).integers(0, 256, (70, 90, 3)).astype(np.uint8)
    config = changed(predict={"confidence": 0.1})
    made = [prcnn.predict(n, tile(image), config) for n in (network, other)]
    assert made[0].max() > 0
    np.testing.assert_array_equal(*made)


# ---------------------------------------------------------------------- weights of other origin


def resnet_weights(network):
    """As torch's libraries publish them: no biases of convolutions, a classifier at the end."""
    backbone = network.backbone
    convolutions = {name for name, module in backbone.named_modules() if isinstance(module, nn.Conv2d)}
    tensors = {
        name: torch.rand(tensor.shape) if tensor.is_floating_point() else tensor
        for name, tensor in backbone.state_dict().items()
        if name.removesuffix(".bias") not in convolutions
    }
    return tensors | {"fc.weight": torch.rand(10, 4), "fc.bias": torch.rand(10)}


@pytest.mark.parametrize("norm", ["frozen", "batch"])
def test_a_resnet_fills_the_backbone(norm):
    config = changed(network={"norm": norm})
    network = built(config)
    tensors = resnet_weights(network)
    assert "layer2.0.downsample.1.running_var" in tensors
    prcnn.adopt(network, tensors, config)
    found = network.backbone.state_dict()
    for name in tensors.keys() - {"fc.weight", "fc.bias"}:
        assert torch.equal(found[name], tensors[name]), name
    assert found["conv1.bias"].tolist() == [0] * 8


def test_another_p_rcnn_fills_the_whole_network():
    network, other = built(seed=0), built(seed=1)
    prcnn.adopt(other, network.state_dict(), CONFIG)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


def test_unfit_weights_are_refused():
    network = built(changed(network={"norm": "batch"}))
    tensors = resnet_weights(network)
    with pytest.raises(KaryobenchError, match=r"layer1\.0\.conv3\.weight is missing"):
        prcnn.adopt(network, {k: v for k, v in tensors.items() if k != "layer1.0.conv3.weight"}, CONFIG)
    with pytest.raises(KaryobenchError, match=r"conv1.weight is \(3, 3\), the network has \(8, 3, 7, 7\)"):
        prcnn.adopt(network, tensors | {"conv1.weight": torch.zeros(3, 3)}, CONFIG)
    with pytest.raises(KaryobenchError, match=r"running_mean is not in the network.* norm: frozen or batch"):
        prcnn.adopt(built(), tensors, CONFIG)
    with pytest.raises(KaryobenchError, match=r"layer4.0.conv1.weight is not in the network"):
        prcnn.adopt(network, tensors | {"layer4.0.conv1.weight": torch.zeros(1)}, CONFIG)
