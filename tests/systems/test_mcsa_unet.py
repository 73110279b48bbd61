"""MCSA-Unet: its weights counted by hand, its attention against numpy, and what each row of its tables computes."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from karyobench.errors import KaryobenchError
from karyobench.systems import mcsa_unet
from karyobench.systems.dense.attention import ChannelAttention, SpatialAttention
from karyobench.systems.dense.blocks import UpConvolution, convolution

FULL = mcsa_unet.FULL["network"]
PLAIN = {"channel": False, "spatial": False, "residual": "none"}
ROWS = {
    "U-Net": PLAIN,
    "+CA": {**PLAIN, "channel": True},
    "+SA": {**PLAIN, "spatial": True},
    "+Res": {**PLAIN, "residual": "input"},
    "MCSA-Unet": {},
    "Res-Unet": {**PLAIN, "residual": "everywhere"},
}
LEVELS = (64, 128, 256, 512)


def small(**options):
    torch.manual_seed(0)
    return mcsa_unet.build({"network": {**FULL, "width": 4, "depth": 3, "reduction": 2, **options}})


def stage(**options):
    torch.manual_seed(1)
    network = mcsa_unet.Stage(3, 8, {**FULL, "reduction": 4, **options})
    return network, torch.randn(2, 3, 9, 7)


def convolved(image, weight, bias):
    """Convolution of (C, H, W) by (C, k, k), padded with zeros, by its definition."""
    reach = weight.shape[-1] // 2
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)))
    height, width = image.shape[1:]
    made = np.full((height, width), bias)
    for row, column in np.ndindex(height, width):
        made[row, column] += (padded[:, row : row + 2 * reach + 1, column : column + 2 * reach + 1] * weight).sum()
    return made


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# ---------------------------------------------------------------------- weights


def test_the_rows_of_the_tables_have_exactly_their_weights():
    # Two convolutions 3x3 with biases per stage, 3-64-128-256-512-1024 down; up a convolution 2x2 that halves the
    # channels and two of 3x3; a head 64-2.
    double = [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024), (1024, 512), (512, 256), (256, 128), (128, 64)]
    unet = sum(9 * i * o + 9 * o * o + 2 * o for i, o in double)
    unet += sum(4 * (2 * c) * c + c for c in LEVELS) + 64 * 2 + 2
    assert unet == 31_031_810
    # An MLP c - c/16 - c with biases, and a convolution 7x7 of two maps to one.
    channel = sum(2 * c * (c // 16) + c // 16 + c for c in LEVELS)
    spatial = len(LEVELS) * (2 * 49 + 1)
    assert channel + spatial == 44_936
    # Convolutions 1x1 from a stage's input: of the four upper stages of the encoder, or of all nine.
    upper = 3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + sum(LEVELS)
    every = sum(i * o + o for i, o in double)
    expected = {
        "U-Net": unet,
        "+CA": unet + channel,
        "+SA": unet + spatial,
        "+Res": unet + upper,
        "MCSA-Unet": 31_076_746,
        "Res-Unet": unet + every,
    }
    with torch.device("meta"):
        networks = {name: mcsa_unet.build({"network": {**FULL, **row}}) for name, row in ROWS.items()}
    assert {name: sum(p.numel() for p in n.parameters()) for name, n in networks.items()} == expected


def test_weights_without_normalisation_keep_the_signal_s_variance():
    torch.manual_seed(0)
    x = torch.randn(1, 32, 40, 40)
    before = x.var()
    for _ in range(10):
        x = convolution(32, 32, batch_norm=False)[0](functional.relu(x))
    assert 0.5 < x.var() / before < 2


# ---------------------------------------------------------------------- the paper's formulas


def test_channel_attention_is_its_formula():
    torch.manual_seed(2)
    x = torch.randn(2, 8, 5, 6)
    module = ChannelAttention(8, 4)
    first, second = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in (module.mlp[0], module.mlp[2])
    )
    assert first[0].shape == (2, 8)

    def mlp(told):
        return second[0] @ np.maximum(first[0] @ told + first[1], 0) + second[1]

    values = x.numpy().reshape(2, 8, -1)
    expected = [sigmoid(mlp(image.mean(axis=1)) + mlp(image.max(axis=1))) for image in values]
    np.testing.assert_allclose(module(x).detach().numpy()[:, :, 0, 0], expected, atol=1e-6)


def test_spatial_attention_is_its_formula():
    torch.manual_seed(3)
    x = torch.randn(2, 5, 9, 8)
    module = SpatialAttention()
    weight, bias = module.convolution.weight.detach().numpy()[0], module.convolution.bias.item()
    told = [np.stack([image.mean(axis=0), image.max(axis=0)]) for image in x.numpy()]
    expected = [sigmoid(convolved(maps, weight, bias)) for maps in told]
    np.testing.assert_allclose(module(x).detach().numpy()[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("target", ["F", "F_c"])
def test_a_stage_lays_spatial_weights_on_the_features_that_are_named(target):
    network, x = stage(spatial_target=target)
    features = network.convolutions(x)
    weighted = network.channel(features) * features
    weights = network.spatial(weighted)
    expected = features + weights * (features if target == "F" else weighted)
    torch.testing.assert_close(network(x), expected)


def test_the_two_readings_of_the_second_formula_differ():
    (paper, x), (cbam, _) = stage(spatial_target="F"), stage(spatial_target="F_c")
    assert (paper(x) - cbam(x)).abs().max() > 1e-3


def test_each_ablation_leaves_out_what_its_row_says():
    network, x = stage(**PLAIN)
    torch.testing.assert_close(network(x), network.convolutions(x))
    network, x = stage(**ROWS["+CA"])
    features = network.convolutions(x)
    torch.testing.assert_close(network(x), network.channel(features) * features)
    network, x = stage(**ROWS["+SA"])
    features = network.convolutions(x)
    torch.testing.assert_close(network(x), network.spatial(features) * features)
    network, x = stage(**ROWS["+Res"])
    torch.testing.assert_close(network(x), network.convolutions(x) + network.shortcut(x))


def test_a_res_unet_has_a_shortcut_in_every_stage_and_the_residual_row_in_the_encoder_alone():
    found = [
        [name for name, module in small(**ROWS[row]).named_modules() if name.endswith("shortcut")]
        for row in ("+Res", "Res-Unet")
    ]
    assert found[0] == ["down.0.shortcut", "down.1.shortcut"]
    assert found[1] == [*found[0], "bottom.shortcut", "up.0.shortcut", "up.1.shortcut"]


def test_an_up_convolution_pads_on_the_right_and_below():
    torch.manual_seed(4)
    module, x = UpConvolution(2, 1), torch.randn(1, 2, 3, 4)
    large = np.pad(x[0].numpy().repeat(2, axis=1).repeat(2, axis=2), ((0, 0), (0, 1), (0, 1)))
    weight, bias = module.weight.detach().numpy()[0], module.bias.item()
    expected = [
        [(large[:, row : row + 2, column : column + 2] * weight).sum() + bias for column in range(8)]
        for row in range(6)
    ]
    np.testing.assert_allclose(module(x).detach().numpy()[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("row", ROWS)
def test_the_gradient_reaches_every_weight_of_every_row(row):
    network = small(**ROWS[row])
    functional.cross_entropy(network(torch.randn(2, 3, 16, 24)), torch.randint(0, 2, (2, 16, 24))).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"spatial_target": "Fc"}, "network.spatial_target: there is no 'Fc' .*F_c"),
        ({"residual": "feature"}, "network.residual: there is no 'feature' .*features"),
        ({**PLAIN, "residual": "features"}, "network.residual: 'features'.*set channel or spatial"),
    ],
)
def test_options_that_make_no_network_are_refused(options, told):
    with pytest.raises(KaryobenchError, match=told):
        small(**options)
