"""A classifier of windows, which judges the windows around all pixels of an image at once and shares what they share.

Max pooling with stride, mean pooling, padding and pools cut short at the window's border are all evaluated exactly:
each window meets the very numbers that it would meet alone. See `plan` for how.
"""

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from karyobench.errors import KaryobenchError
from karyobench.systems.windows import plan
from karyobench.systems.windows.plan import Geometry, Part

_Maps = dict[tuple[int, int], torch.Tensor]


@dataclass(frozen=True)
class Pool:
    """ReLU and pooling by the maximum or, with `mean`, by the mean of what lies within the input."""

    geometry: Geometry
    mean: bool = False

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Rectified and pooled (N, C, h, w) of a whole input (N, C, H, W)."""
        shape = self.geometry.kernel, self.geometry.stride
        if self.mean:
            return functional.avg_pool2d(functional.relu(x), *shape, ceil_mode=self.geometry.ceil)
        # The same either way round; there is less to rectify afterwards.
        return functional.relu(functional.max_pool2d(x, *shape, ceil_mode=self.geometry.ceil))


class WindowNet(nn.Module):
    """Blocks of convolution, ReLU and pool, then fully connected layers.

    channels: of each block. convolution: the geometry of all. pools: of each block. hidden: widths of the fully
    connected layers before the last. rectify: whether these are followed by ReLU. All layers have a bias; the fully
    connected ones are kept as convolutions, the first one as large as what the blocks leave of a window.
    Raises KaryobenchError when they leave nothing.
    """

    def __init__(
        self,
        window: int,
        channels: list[int],
        convolution: Geometry,
        pools: list[Pool],
        hidden: list[int],
        rectify: bool = True,
        classes: int = 2,
    ) -> None:
        super().__init__()
        self.window, self.pools, self.rectify = window, pools, rectify
        layers = [layer for pool in pools for layer in (convolution, pool.geometry)]
        last = reduce(lambda length, layer: layer.positions(length), layers, window)
        if last < 1:
            raise KaryobenchError(f"network.channels: a window of {window} px has no room for {len(channels)} blocks")
        layers.append(Geometry(last))
        self.plans, self.margin = plan.steps(window, layers), plan.margin(window, layers)
        size, padding = convolution.kernel, convolution.padding
        self.features = nn.ModuleList(nn.Conv2d(i, o, size, padding=padding) for i, o in pairwise([3, *channels]))
        widths = [channels[-1], *hidden, classes]
        sides = [last, *[1] * len(hidden)]
        self.classifier = nn.ModuleList(
            nn.Conv2d(i, o, side) for (i, o), side in zip(pairwise(widths), sides, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of windows (N, 3, window, window)."""
        for convolution, pool in zip(self.features, self.pools, strict=True):
            x = pool(convolution(x))
        return self._classify(self.classifier[0](x)).flatten(1)

    def blocks(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the blocks make of every window of images (N, 3, H, W): maps (N, C, h, w), one per kind of position.

        There is a window at each of (H - window + 1, W - window + 1) pixels. Their rows top:bottom need of each map the
        rows top : bottom + h - (H - window + 1), and columns alike.
        """
        maps = {(0, 0): _without(x, *self.margin, *self.margin)}
        steps = iter(self.plans)
        for convolution, pool in zip(self.features, self.pools, strict=True):
            maps = {kinds: functional.relu(y) for kinds, y in _convolved(maps, next(steps), convolution).items()}
            maps = _pooled(maps, next(steps), pool)
        return tuple(maps.values())

    def classify(self, *maps: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes, h, w) of h x w windows from what the blocks make of them."""
        kinds = _pairs(self.plans[-2])
        ((_, whole),) = _convolved(dict(zip(kinds, maps, strict=True)), self.plans[-1], self.classifier[0]).items()
        return self._classify(whole)

    def _classify(self, x: torch.Tensor) -> torch.Tensor:
        """Logits from what the first fully connected layer gives."""
        for layer in self.classifier[1:]:
            x = layer(functional.relu(x, inplace=True) if self.rectify else x)
        return x


def _convolved(maps: _Maps, step: plan.Step, layer: nn.Conv2d) -> _Maps:
    """The maps of a convolution: each is the sum over the parts of its kernel, which look at different maps."""
    made = {}
    for kinds, parts in _pairs(step).items():
        total = None
        for row, column in parts:
            kernel = layer.weight[:, :, row.first : row.stop, column.first : column.stop]
            bias = layer.bias if total is None else None
            part = functional.conv2d(_seen(maps, row, column), kernel, bias, dilation=step.spacing)
            total = part if total is None else total + part
        made[kinds] = total
    return made


def _pooled(maps: _Maps, step: plan.Step, pool: Pool) -> _Maps:
    """The maps of a pool."""
    together = torch.add if pool.mean else torch.maximum
    made = {}
    for kinds, parts in _pairs(step).items():
        total = reduce(together, (_gathered(maps, row, column, step.spacing, together) for row, column in parts))
        count = sum((row.stop - row.first) * (column.stop - column.first) for row, column in parts)
        made[kinds] = total / count if pool.mean else total
    return made


def _gathered(maps: _Maps, row: Part, column: Part, spacing: int, together) -> torch.Tensor:
    """Sum or maximum over the taps of one part, first along columns, then along rows."""
    x = _seen(maps, row, column)
    for part, axis in ((column, 3), (row, 2)):
        taps = part.stop - part.first
        x = reduce(together, (_shifted(x, tap * spacing, (taps - 1) * spacing, axis) for tap in range(taps)))
    return x


def _shifted(x: torch.Tensor, by: int, room: int, axis: int) -> torch.Tensor:
    """A map from pixel `by` of an axis on, as long as the axis without `room`."""
    trims = (by, room - by)
    return _without(x, *trims, 0, 0) if axis == 2 else _without(x, 0, 0, *trims)


def _pairs(step: plan.Step) -> dict[tuple[int, int], list[tuple[Part, Part]]]:
    """Parts of rows and columns for each kind of position in the plane."""
    return {
        (down, across): [(row, column) for row in rows for column in columns]
        for down, rows in step.kinds.items()
        for across, columns in step.kinds.items()
    }


def _seen(maps: _Maps, row: Part, column: Part) -> torch.Tensor:
    return _without(maps[row.kind, column.kind], row.before, row.after, column.before, column.after)


def _without(x: torch.Tensor, top: int, bottom: int, left: int, right: int) -> torch.Tensor:
    """A map without so many rows and columns; slices from the end keep a traced graph free of its sides."""
    return x[:, :, top : -bottom or None, left : -right or None]
