"""Groups of images that stay together, and what a division of them among the parts of a split is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from karyobench import files

_OBJECTS_WEIGHT = 0.5


@dataclass(frozen=True)
class Group:
    """Images that stay together. counts: images and objects of each stratum among them, by the stratum's name.

    part: the only part that may have them; None for any.
    """

    name: str
    counts: dict[str, tuple[int, int]]
    part: str | None = None

    @property
    def images(self) -> int:
        """Number of its images."""
        return sum(images for images, _ in self.counts.values())

    @property
    def objects(self) -> int:
        """Number of their objects."""
        return sum(objects for _, objects in self.counts.values())


@dataclass(frozen=True)
class Problem:
    """Groups in a seeded order, and what a division of them is judged by.

    fractions: float (P,), of the parts; they sum to 1. shares: float (G, T), how much of each total a group holds; the
    totals are the images and the objects of each stratum and of all, so columns sum to 1. weights: float (T,), of the
    totals. serves: bool (G, N), which needs a group meets: every part needs a group, and one of each stratum that has
    enough of them. needs: the names of these strata, and "all". allowed: bool (G, P).
    """

    groups: list[Group]
    parts: list[str]
    fractions: np.ndarray
    shares: np.ndarray
    weights: np.ndarray
    serves: np.ndarray
    needs: list[str]
    allowed: np.ndarray


def posed(groups: Sequence[Group], fractions: dict[str, float], seed: int) -> Problem:
    """The problem of dealing groups to parts of these fractions; the order of the groups is a hash of seed and name."""
    ordered = sorted(groups, key=lambda group: files.digest(f"{seed}:{group.name}"))
    parts, strata = list(fractions), sorted({stratum for group in groups for stratum in group.counts})
    held = np.array([[group.counts.get(stratum, (0, 0)) for stratum in strata] for group in ordered], float)
    totals = np.concatenate([held, held.sum(axis=1, keepdims=True)], axis=1) if len(strata) > 1 else held
    weights = np.tile([1, _OBJECTS_WEIGHT], totals.shape[1])
    columns = totals.reshape(len(ordered), -1)
    kept = columns.sum(axis=0) > 0
    members = held[..., 0] > 0
    needed = members.sum(axis=0) >= max(3, len(parts))
    return Problem(
        groups=ordered,
        parts=parts,
        fractions=np.array([fractions[part] for part in parts]),
        shares=columns[:, kept] / columns[:, kept].sum(axis=0),
        weights=weights[kept],
        serves=np.column_stack([members[:, needed], np.ones(len(ordered), bool)]),
        needs=[*(stratum for stratum, is_needed in zip(strata, needed, strict=True) if is_needed), "all"],
        allowed=np.array([[group.part in (None, part) for part in parts] for group in ordered]),
    )


def judged(problem: Problem, choice: np.ndarray) -> tuple[int, float]:
    """Needs that are not met, and the weighted sum of deviations: the less, the better, in this order.

    choice: int (G,), part of each group. The sum is rounded, so that the order of additions does not decide.
    """
    return int((~met(problem, choice)).sum()), round(float((np.abs(off(problem, choice)) @ problem.weights).sum()), 9)


def met(problem: Problem, choice: np.ndarray) -> np.ndarray:
    """Whether a part meets a need: bool (P, N)."""
    return np.eye(len(problem.parts), dtype=int)[choice].T @ problem.serves > 0


def off(problem: Problem, choice: np.ndarray) -> np.ndarray:
    """What a part has of each total, less its fraction: float (P, T)."""
    return np.eye(len(problem.parts))[choice].T @ problem.shares - problem.fractions[:, None]
