"""The integer programme of a balanced split, in PuLP."""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from karyobench.datasets.groups import Problem
from karyobench.errors import KaryobenchError

GAP = 0.0001
"""By how much the deviation of the programme's division may exceed the least one."""

_CLASSES = 200
_NODES = 300_000


def solved(problem: Problem, seed: int) -> np.ndarray:
    """Part of each group by the programme whose integers say how many groups of a class each part gets.

    The members of a class are dealt in the seeded order. A bound on the nodes of the search and one thread, not a time
    limit, make the result the same on a fast and on a slow machine.
    """
    import pulp

    classes = _classes(problem)
    model, numbers = _programme(problem, classes, seed)
    nodes = max(20, _NODES // (len(classes) * len(problem.parts)))
    solver = pulp.COIN_CMD(
        path=pulp.PULP_CBC_CMD.pulp_cbc_path,
        msg=False,
        threads=1,
        gapAbs=GAP / 2,
        maxNodes=nodes,
        cuts=False,
    )
    try:
        model.solve(solver)
    except pulp.PulpSolverError as error:
        raise KaryobenchError(f"split: PuLP's solver CBC cannot be run ({error}); install PuLP again") from error
    choice = problem.allowed.argmax(axis=1)
    for members, row in zip(classes, numbers, strict=True):
        # What the solver reports of its success is not to be trusted, so its integers are looked at.
        counts = [max(0, round(number.value() or 0)) for number in row]
        if sum(counts) == len(members):
            choice[members] = np.repeat(np.arange(len(row)), counts)
    return choice


def _classes(problem: Problem) -> list[list[int]]:
    """Groups that can stand for one another: those that hold the same, and in large datasets nearly as many objects."""
    alike, similar = defaultdict(list), defaultdict(list)
    for g, group in enumerate(problem.groups):
        images = tuple((stratum, counts[0]) for stratum, counts in sorted(group.counts.items()))
        similar[group.part, images].append(g)
        alike[group.part, images, problem.shares[g].tobytes()].append(g)
    if len(alike) <= _CLASSES:
        return list(alike.values())
    size = math.ceil(len(problem.groups) / _CLASSES)
    by_objects = (sorted(members, key=lambda g: problem.groups[g].objects) for members in similar.values())
    return [sorted(members[k : k + size]) for members in by_objects for k in range(0, len(members), size)]


def _programme(problem: Problem, classes: list[list[int]], seed: int) -> tuple[Any, list[list[Any]]]:
    """The programme, and its integers (class, part)."""
    import pulp

    model = pulp.LpProblem("split", pulp.LpMinimize)
    parts = range(len(problem.parts))
    numbers = [
        [model.add_variable(f"n{c:05d}_{p:03d}", 0, len(m) * int(problem.allowed[m[0], p]), "Integer") for p in parts]
        for c, m in enumerate(classes)
    ]
    for members, row in zip(classes, numbers, strict=True):
        model += pulp.lpSum(row) == len(members)
    # Of equally good divisions chance prefers one: its part of the objective is at most half the gap.
    chance = np.random.default_rng(seed).random((len(classes), len(parts))) * GAP / (2 * len(problem.groups))
    costs = [(number, float(cost)) for number, cost in zip(chain(*numbers), chance.ravel(), strict=True)]
    costs += [*_deviations(model, problem, classes, numbers), *_unmet(model, problem, classes, numbers)]
    model.setObjective(pulp.LpAffineExpression(costs))
    return model, numbers


def _deviations(model: Any, problem: Problem, classes: list[list[int]], numbers: Any) -> Iterator[tuple[Any, float]]:
    """For each part and total a variable that is at least the absolute deviation, and its weight."""
    import pulp

    means = np.array([problem.shares[members].mean(axis=0) for members in classes])
    for p, fraction in enumerate(problem.fractions.tolist()):
        for t, weight in enumerate(problem.weights.tolist()):
            terms = [(row[p], share) for row, share in zip(numbers, means[:, t].tolist(), strict=True) if share]
            off = model.add_variable(f"d{p:03d}_{t:04d}", 0)
            model += pulp.LpAffineExpression(terms) - off <= fraction
            model += pulp.LpAffineExpression(terms) + off >= fraction
            yield off, weight


def _unmet(model: Any, problem: Problem, classes: list[list[int]], numbers: Any) -> Iterator[tuple[Any, float]]:
    """For each part and need a variable that is 1 where it is not met, which costs more than any deviation."""
    import pulp

    penalty = float(2 * problem.weights.sum())
    for p in range(len(problem.parts)):
        for n in range(problem.serves.shape[1]):
            serving = [row[p] for members, row in zip(classes, numbers, strict=True) if problem.serves[members[0], n]]
            lacking = model.add_variable(f"u{p:03d}_{n:04d}", 0, 1)
            model += pulp.lpSum(serving) + lacking >= 1
            yield lacking, penalty
