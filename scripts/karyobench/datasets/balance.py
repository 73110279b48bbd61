"""Whole groups of images dealt to the parts of a split so that the parts are alike."""

import logging
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from karyobench.datasets import programme
from karyobench.datasets.groups import Group, Problem, judged, met, off, posed
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")


def balanced(groups: Sequence[Group], fractions: dict[str, float], seed: int) -> dict[str, str]:
    """Part of each group, by name.

    fractions: of each part, in the order in which a plain draw would fill them; they sum to 1. The sum over parts and
    strata of |share of the stratum - fraction|, of images and half as much of objects, is within 0.0001 of the least
    where the solver gets so far in its bounded search, and never above that of the plain draw in the order of a hash
    of seed and name; both are logged. Each part gets a group, and one of every stratum that has at least three groups
    and as many as there are parts, unless groups of several strata make that impossible, which is logged.
    Raises KaryobenchError where there are too few groups, or the solver cannot be run.
    """
    problem = posed(groups, fractions, seed)
    plain, choice = plain_draw(problem), programme.solved(problem, seed)
    if judged(problem, plain) < judged(problem, choice):
        log.warning("split: the integer programme found nothing as good as the plain draw, which is taken")
        choice = plain
    _report(problem, choice, plain)
    return {group.name: problem.parts[p] for group, p in zip(problem.groups, choice, strict=True)}


def _report(problem: Problem, choice: np.ndarray, plain: np.ndarray) -> None:
    """Log how good the division is; refuse one that leaves a part empty."""
    unmet = defaultdict(list)
    for p, n in np.argwhere(~met(problem, choice)):
        unmet[problem.needs[n]].append(problem.parts[p])
    if "all" in unmet:
        raise KaryobenchError(
            f"split: {len(problem.groups)} groups of images leave none for {' and '.join(unmet['all'])}; "
            f"ask for fewer parts than {', '.join(problem.parts)}, or smaller groups"
        )
    for stratum, parts in unmet.items():
        log.warning("split: no group of stratum '%s' is left for %s", stratum, " and ".join(parts))
    log.info(
        "split: deviation %.4f (plain draw: %.4f); a part is off its fraction by at most %.1f %% of a stratum",
        judged(problem, choice)[1],
        judged(problem, plain)[1],
        100 * np.abs(off(problem, choice)).max(),
    )


# ---------------------------------------------------------------------- plain draw


def plain_draw(problem: Problem) -> np.ndarray:
    """Part of each group: in each stratum they go in the seeded order to the first part until it is full, and so on.

    The last part has the rest. A group of several strata counts as one of that of most of its images.
    """
    by_stratum = defaultdict(list)
    choice = problem.allowed.argmax(axis=1)
    for g, group in enumerate(problem.groups):
        if group.part is None:
            choice[g] = len(problem.parts) - 1
            by_stratum[_main_stratum(group)].append(g)
    sizes = np.array([group.images for group in problem.groups])
    for rest in by_stratum.values():
        of, total = len(rest), sizes[rest].sum()
        for p, fraction in enumerate(problem.fractions[:-1]):
            taken = _take(rest, sizes, fraction * total, of)
            choice[taken] = p
            rest = [g for g in rest if g not in taken]
    return choice


def _main_stratum(group: Group) -> str:
    return min(group.counts, key=lambda stratum: (-group.counts[stratum][0], stratum))


def _take(rest: list[int], sizes: np.ndarray, target: float, of: int) -> list[int]:
    """Groups taken in order while each brings the number of images nearer to `target`; always one left for the others.

    A stratum of three groups or more gives at least one: the smallest, where all are too large for the target.
    """
    taken, count = [], 0
    for g in rest:
        if abs(count + sizes[g] - target) < abs(count - target) and len(taken) + 1 < len(rest):
            taken.append(g)
            count += sizes[g]
    if not taken and of >= 3 and len(rest) > 1:
        taken = [min(rest, key=lambda g: sizes[g])]
    return taken
