"""COCO's run lengths: a mask as the lengths of its runs of 0 and 1, column by column, from 0 on."""

from itertools import accumulate, pairwise
from typing import Any

from karyobench.errors import KaryobenchError

_FIRST = ord("0")
_BITS = 5
_MORE = 1 << _BITS
_VALUE = _MORE - 1
_SIGN = _MORE >> 1
_LONGEST = 12
_BEFORE_DIFFERENCES = 3


def outline(encoded: dict[str, Any], size: tuple[int, int], where: str) -> Any:
    """Shapely MultiPolygon of the upright strips of a mask.

    encoded: {"size": [height, width], "counts": list of run lengths, or their compressed text}. size: of the image.
    Raises KaryobenchError naming, as `where`, a mask of another size, or lengths that do not add up to it.
    """
    import shapely

    counts = encoded.get("counts")
    if encoded.get("size") != list(size):
        raise KaryobenchError(f"{where}: the mask has the size {encoded.get('size')}, its image {list(size)}")
    if isinstance(counts, str):
        counts = _decompressed(counts, where)
    if not isinstance(counts, list) or any(type(count) is not int or count < 0 for count in counts):
        raise KaryobenchError(f"{where}: `counts` holds no run lengths; correct the file or export it again")
    if sum(counts) != size[0] * size[1]:
        raise KaryobenchError(f"{where}: the runs cover {sum(counts)} pixels, the image has {size[0] * size[1]}")
    ends = [0, *accumulate(counts)]
    runs = list(pairwise(ends))[1::2]
    return shapely.MultiPolygon([shapely.box(*strip) for run in runs for strip in _strips(*run, size[0])])


def _strips(start: int, end: int, height: int) -> list[tuple[int, int, int, int]]:
    """Boxes x0, y0, x1, y1 of a run of pixels: one per column that it touches."""
    strips = []
    while start < end:
        column, row = divmod(start, height)
        length = min(end - start, height - row)
        strips.append((column, row, column + 1, row + length))
        start += length
    return strips


def _decompressed(text: str, where: str) -> list[int]:
    """Run lengths of their compressed text.

    Each character stands for five bits and one that tells whether more follow, the lowest five first, the sign in the
    highest; from the fourth number on it is the difference to the number two before.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 2 * _MORE or shift > _BITS * _LONGEST:
            raise KaryobenchError(f"{where}: `counts` is no text of run lengths; export it again")
        value |= (bits & _VALUE) << shift
        shift += _BITS
        if not bits & _MORE:
            value -= (1 << shift) if bits & _SIGN else 0
            counts.append(value + (counts[-2] if len(counts) >= _BEFORE_DIFFERENCES else 0))
            value = shift = 0
    if shift:
        raise KaryobenchError(f"{where}: `counts` ends in the middle of a number; export it again")
    return counts
