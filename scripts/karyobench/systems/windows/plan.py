"""Which maps of a whole image stand for the layers of every window in it, so that windows share what they compute.

Along one axis, position i of a layer looks at some positions of the layer before it. Two positions that look at alike
ones compute the same thing, `spacing` pixels of the image per position apart: they are of one kind, and one map of the
image holds the values of a whole kind, for all windows. Without padding, all positions of a layer are of one kind. With
padding, positions near the border of the window see zeros where the image goes on, so there are a few kinds more: to
the left, and to the right, where the last pool is cut short too. Kinds that no later layer looks at are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Geometry:
    """How a layer moves over its input, the same along both axes. ceil: a last step may reach beyond the input."""

    kernel: int
    stride: int = 1
    padding: int = 0
    ceil: bool = False

    def positions(self, length: int) -> int:
        """Number of positions over an input of `length`; 0 when there is no room. None begins beyond the input."""
        room = length + 2 * self.padding - self.kernel
        steps = -(-room // self.stride) if self.ceil else room // self.stride
        return max(0, min(steps, (length + self.padding - 1) // self.stride) + 1)


@dataclass(frozen=True)
class Part:
    """Taps first:stop of a kernel, all looking at one kind of the input, on its map without `before` and `after`."""

    kind: int
    first: int
    stop: int
    before: int
    after: int


@dataclass(frozen=True)
class Step:
    """One layer along one axis. spacing: pixels between positions of its input. kinds: the parts of each kind."""

    spacing: int
    kinds: dict[int, list[Part]]


@dataclass(frozen=True)
class _Level:
    """Positions of one layer: their kinds, what the taps of each look at, and those that are needed later."""

    kinds: list[int]
    looks: list[list[int | None]]
    needed: set[int]
    spacing: int

    def ends(self, kind: int) -> tuple[int, int]:
        """First and last needed position of a kind."""
        places = [place for place in sorted(self.needed) if self.kinds[place] == kind]
        return places[0], places[-1]


def steps(window: int, layers: Sequence[Geometry]) -> list[Step]:
    """One step per layer, for windows of `window` pixels at every pixel.

    The map of a kind begins at the kind's first needed position in the first window and ends at its last one in the
    last window. The input's only kind, 0, is the image without the pixels that no window looks at: see `margin`.
    """
    levels = _levels(window, layers)
    return [_step(before, after, layer) for (before, after), layer in zip(pairwise(levels), layers, strict=True)]


def margin(window: int, layers: Sequence[Geometry]) -> tuple[int, int]:
    """Pixels at the beginning and at the end of a window that none of its results depends on."""
    first, last = _levels(window, layers)[0].ends(0)
    return first, window - 1 - last


def _levels(window: int, layers: Sequence[Geometry]) -> list[_Level]:
    kinds, looks, spacings = [[0] * window], [[[]] * window], [1]
    for layer in layers:
        seen = _seen(len(kinds[-1]), layer)
        known: dict[tuple[int | None, ...], int] = {}
        signatures = [tuple(None if at is None else kinds[-1][at] for at in taps) for taps in seen]
        kinds.append([known.setdefault(signature, len(known)) for signature in signatures])
        looks.append(seen)
        spacings.append(spacings[-1] * layer.stride)
    needed = [set(range(len(kinds[-1])))]
    for seen in looks[:0:-1]:
        needed.insert(0, {at for place in needed[0] for at in seen[place] if at is not None})
    return [_Level(*level) for level in zip(kinds, looks, needed, spacings, strict=True)]


def _seen(length: int, layer: Geometry) -> list[list[int | None]]:
    """What each tap of each position looks at; None beyond the input."""
    starts = [place * layer.stride - layer.padding for place in range(layer.positions(length))]
    return [[at if 0 <= at < length else None for at in range(start, start + layer.kernel)] for start in starts]


def _step(before: _Level, after: _Level, layer: Geometry) -> Step:
    kinds = {after.kinds[place] for place in after.needed}
    return Step(before.spacing, {kind: _parts(before, after, layer, kind) for kind in sorted(kinds)})


def _parts(before: _Level, after: _Level, layer: Geometry, kind: int) -> list[Part]:
    """The taps of a kind, those together that look at one kind."""
    first, last = after.ends(kind)
    seen = [None if at is None else before.kinds[at] for at in after.looks[first]]
    parts = []
    for tap, of in enumerate(seen):
        if of is None or (tap and seen[tap - 1] == of):
            continue
        stop = next((t for t in range(tap, len(seen)) if seen[t] != of), len(seen))
        begin, end = before.ends(of)
        ahead = first * layer.stride - layer.padding + tap - begin
        behind = end - (last * layer.stride - layer.padding + stop - 1)
        parts.append(Part(of, tap, stop, ahead * before.spacing, behind * before.spacing))
    return parts
