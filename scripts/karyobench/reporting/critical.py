"""The picture of a ranking: ranks on a line with their intervals, and bars that join those that do not differ."""

from collections.abc import Iterator, Sequence
from html import escape
from textwrap import wrap

from karyobench.reporting import ranks, statistics
from karyobench.reporting.statistics import Comparison

TEST = (
    f"Intervals: central 95% of the rank over {statistics.RESAMPLES} bootstrap draws of {{drawn}}, all experiments "
    "ranked anew in each. A bar joins experiments of which no two differ: the 95% interval of each paired difference "
    "holds 0. Each interval is at 95% on its own; nothing is adjusted for their number. This is no Nemenyi test, which "
    "compares ranks over many datasets"
)
NO_TEST = "No intervals and no bars: {drawn} are too few to draw from"

# Narrow, so that the text stays readable where a phone shrinks the picture.
_LEFT, _RIGHT, _ROW, _TOP, _BAR = 190, 420, 26, 46, 12
_WIDTH, _NUMBER_WIDTH, _LETTER_WIDTH, _LONGEST, _TEXT_COLUMNS, _TEXT_ROW = 520, 18, 7, 26, 82, 15
_INK, _MARK = 'stroke="currentColor"', 'fill="var(--first, #1f6f8b)"'


def picture(compared: Comparison, score: str, label: str, name: str) -> str:
    """SVG of the ranking by one score, best on top, with text as text, in the colours of the page that it is put in.

    compared: the experiments that are ranked. label: the score's heading. name: prefix of the ids within the SVG.
    """
    names, groups = ranks.order(compared, score), ranks.joined(compared, score)
    cells = ranks.standings(compared)
    values = dict(zip(compared.names, compared.means[:, compared.scores.index(score)], strict=True))
    end = _RIGHT + 20 + _BAR * len(groups) + _LETTER_WIDTH * max(len(label), len("0.000"))
    told = wrap(statement(compared), _TEXT_COLUMNS)
    foot = _TOP + _ROW * len(names) + 20
    height = foot + _TEXT_ROW * len(told)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(end + 10, _WIDTH)} {height}" role="img" '
        f'aria-labelledby="{escape(name)}-title" font-family="sans-serif" font-size="12" fill="currentColor">',
        f'<title id="{escape(name)}-title">Ranks by {escape(label)}</title>',
        *_axis(len(names), label, foot - 20),
        _text(label, end, _TOP - 14, "end"),
    ]
    for row, each in enumerate(names):
        y = _TOP + _ROW * (row + 0.5)
        lines += [
            *_experiment(each, cells[each], score, len(names), y),
            _text(f"{values[each]:.3f}", end, y + 4, "end"),
        ]
    lines += _bars(groups, names)
    lines += [_text(line, 8, foot + _TEXT_ROW * k, "start", 'font-size="11"') for k, line in enumerate(told)]
    return "\n".join([*lines, "</svg>"]) + "\n"


def statement(compared: Comparison) -> str:
    """What intervals and bars of the picture are, or why there are none."""
    return (NO_TEST if compared.draws is None else TEST).format(drawn=compared.drawn) + "."


def _x(rank: float, count: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (rank - 1) / max(1, count - 1)


def _axis(count: int, label: str, bottom: float) -> Iterator[str]:
    """Rank 1 to the left, with a faint line down from every rank that there is room to name."""
    yield _text(f"rank by {label}", _LEFT, 14, "start", 'font-weight="bold"')
    for rank in range(1, count + 1, 1 + count * _NUMBER_WIDTH // (_RIGHT - _LEFT)):
        x = _x(rank, count)
        yield f'<path d="M{x:.1f} {_TOP - 8}V{bottom:.1f}" {_INK} stroke-opacity="0.2"/>'
        yield _text(str(rank), x, _TOP - 14, "middle")


def _experiment(name: str, cells: dict[str, object], score: str, count: int, y: float) -> Iterator[str]:
    rank, low, high = (cells[f"{score}{suffix}"] for suffix in ("_rank", "_rank_low", "_rank_high"))
    shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    yield f"<g><title>{escape(name)}</title>"
    yield _text(shown, _LEFT - 14, y + 4, "end")
    if low != "":
        left, right = _x(low, count), _x(high, count)
        yield f'<path d="M{left:.1f} {y - 5:.1f}v10M{left:.1f} {y:.1f}H{right:.1f}m0 -5v10" {_INK} fill="none"/>'
    if rank != "":
        yield f'<circle cx="{_x(rank, count):.1f}" cy="{y:.1f}" r="5" {_MARK}/>'
    yield "</g>"


def _bars(groups: Sequence[Sequence[str]], names: Sequence[str]) -> Iterator[str]:
    """A thick line beside the rows of each group."""
    for column, group in enumerate(groups):
        x = _RIGHT + 20 + _BAR * column
        first, last = (_TOP + _ROW * names.index(end) for end in (group[0], group[-1]))
        yield (
            f'<path d="M{x} {first + 5}V{last + _ROW - 5}" {_INK} stroke-width="5"><title>'
            f"no two of these differ: {escape(', '.join(group))}</title></path>"
        )


def _text(text: str, x: float, y: float, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
