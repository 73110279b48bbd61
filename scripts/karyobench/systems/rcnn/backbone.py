"""ResNet with a feature pyramid: the part of Mask R-CNN that sees the image.

He et al. 2016 (ResNet, arXiv:1512.03385), Lin et al. 2017 (feature pyramid, arXiv:1612.03144). Convolutions have
biases, as in the implementation that the P-RCNN paper's count of parameters is of.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from karyobench.errors import KaryobenchError, nearest

Norm = Callable[[int], nn.Module]
FINEST = 4  # stride of the first stage
_EXPANSION = 4
_GROUP = 8


class FrozenStatistics(nn.Module):
    """Batch normalisation by a given mean and variance, which no step changes; scale and shift are learnt."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.running_mean = nn.Parameter(torch.zeros(channels), requires_grad=False)
        self.running_var = nn.Parameter(torch.ones(channels), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (N, channels, H, W), normalised."""
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


def norm_of(kind: str) -> Norm:
    """Normalisation by name, from a number of channels to a layer.

    `frozen` is for pretrained statistics: batches of two large images give poor ones. `batch` and `group` (of eight
    channels; Wu and He, ECCV 2018) are for training from scratch. Raises KaryobenchError on another name.
    """
    if kind not in _NORMS:
        raise KaryobenchError(f"network.norm: there is no '{kind}'{nearest(kind, _NORMS)}; have {', '.join(_NORMS)}")
    return _NORMS[kind]


def _groups(channels: int) -> nn.Module:
    if channels % _GROUP:
        raise KaryobenchError(f"network: {channels} channels cannot be normalised in groups of {_GROUP}")
    return nn.GroupNorm(channels // _GROUP, channels)


_NORMS: dict[str, Norm] = {"frozen": FrozenStatistics, "batch": nn.BatchNorm2d, "group": _groups}


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 convolution beside a shortcut; gives four times `channels`."""

    def __init__(self, before: int, channels: int, stride: int, norm: Norm) -> None:
        super().__init__()
        after = _EXPANSION * channels
        self.conv1, self.bn1 = nn.Conv2d(before, channels, 1), norm(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, stride, padding=1), norm(channels)
        self.conv3, self.bn3 = nn.Conv2d(channels, after, 1), norm(after)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride), norm(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (N, 4 * channels, H / stride, W / stride) of maps (N, before, H, W)."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return functional.relu(self.bn3(self.conv3(inner)) + shortcut)


class ResNet(nn.Module):
    """A stem of stride 4, then stages of `blocks` bottlenecks; all stages but the first halve the resolution.

    Layers have the names that weights for torch commonly have.
    """

    def __init__(self, blocks: Sequence[int], width: int, norm: Norm) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, padding=3), norm(width)
        self.channels = [width * 2**stage * _EXPANSION for stage in range(len(blocks))]
        before = width
        for stage, (count, after) in enumerate(zip(blocks, self.channels, strict=True)):
            stage_blocks = []
            for block in range(count):
                stride = 2 if block == 0 and stage > 0 else 1
                stage_blocks.append(Bottleneck(before, after // _EXPANSION, stride, norm))
                before = after
            self.add_module(f"layer{stage + 1}", nn.Sequential(*stage_blocks))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Maps of each stage, of strides 4, 8, ..."""
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        maps = []
        for stage in range(len(self.channels)):
            x = getattr(self, f"layer{stage + 1}")(x)
            maps.append(x)
        return maps


class Pyramid(nn.Module):
    """Maps of equal width at every stride: each is the stage's own joined with the coarser one, doubled in size."""

    def __init__(self, before: Sequence[int], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(count, channels, 1) for count in before)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in before)

    def forward(self, stages: list[torch.Tensor]) -> list[torch.Tensor]:
        """Maps (N, channels, H, W), finest first, of the stages' maps."""
        x = self.lateral[-1](stages[-1])
        merged = [x]
        for lateral, stage in zip(self.lateral[-2::-1], stages[-2::-1], strict=True):
            x = lateral(stage) + functional.interpolate(x, scale_factor=2, mode="nearest")
            merged.append(x)
        return [smooth(level) for smooth, level in zip(self.smooth, reversed(merged), strict=True)]


def initialise(network: nn.Module) -> None:
    """Weights that keep the variance (He et al. 2015), biases 0, in all convolutions of a network.

    Those of a pyramid are followed by no rectified unit, all others are.
    """
    linear = {id(part) for module in network.modules() if isinstance(module, Pyramid) for part in module.modules()}
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            kind = "linear" if id(module) in linear else "relu"
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity=kind)
            nn.init.zeros_(module.bias)
