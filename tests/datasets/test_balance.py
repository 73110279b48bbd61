"""The integer programme finds the best division on inputs small enough to try all, and a better one than a draw."""

import itertools
import logging
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pulp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karyobench.datasets import balance, programme
from karyobench.datasets.groups import Group, posed
from karyobench.errors import KaryobenchError

THIRDS = {"test": 0.2, "val": 0.1, "train": 0.7}


def judged(groups: list[Group], parts: dict[str, float], dealt: tuple[str, ...]) -> tuple[int, float]:
    """Unmet needs and deviation, written out."""
    strata = sorted({stratum for group in groups for stratum in group.counts})
    totals = [(stratum,) for stratum in strata] + ([tuple(strata)] if len(strata) > 1 else [])
    deviation, unmet = Fraction(0), len(set(parts) - set(dealt))
    for part, fraction in parts.items():
        mine = [group for group, chosen in zip(groups, dealt, strict=True) if chosen == part]
        for total, (k, weight) in itertools.product(totals, [(0, Fraction(1)), (1, Fraction(1, 2))]):
            whole = sum(group.counts.get(stratum, (0, 0))[k] for group in groups for stratum in total)
            have = sum(group.counts.get(stratum, (0, 0))[k] for group in mine for stratum in total)
            deviation += weight * abs(Fraction(have, whole) - Fraction(fraction)) if whole else 0
        for stratum in strata:
            enough = sum(stratum in group.counts for group in groups) >= max(3, len(parts))
            unmet += enough and not any(stratum in group.counts for group in mine)
    return unmet, float(deviation)


def best(groups: list[Group], parts: dict[str, float]) -> tuple[int, float]:
    """Of all divisions that keep bound groups where they belong."""
    free = [[group.part] if group.part else list(parts) for group in groups]
    return min(judged(groups, parts, dealt) for dealt in itertools.product(*free))


def drawn(groups: list[Group], seed: int) -> dict[str, str]:
    """The plain draw."""
    problem = posed(groups, THIRDS, seed)
    return {group.name: problem.parts[p] for group, p in zip(problem.groups, balance.plain_draw(problem), strict=True)}


COUNTS = st.dictionaries(st.sampled_from("xy"), st.tuples(st.integers(1, 4), st.integers(0, 30)), min_size=1)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(COUNTS, st.sampled_from([None, None, None, "train"])), min_size=3, max_size=6),
    st.sampled_from([THIRDS, {"test": 0.5, "train": 0.5}, {"a": 1 / 3, "b": 1 / 3, "train": 1 / 3}]),
    st.integers(0, 2),
)
def test_no_division_is_better(made: list[tuple[dict, str | None]], parts: dict[str, float], seed: int) -> None:
    groups = [Group(f"g{k}", counts, part) for k, (counts, part) in enumerate(made)]
    unmet, least = best(groups, parts)
    if sum(group.part is None for group in groups) < len(parts):
        groups = [Group(group.name, group.counts) for group in groups]
        unmet, least = best(groups, parts)
    dealt = balance.balanced(groups, parts, seed)
    found = judged(groups, parts, tuple(dealt[group.name] for group in groups))
    assert found[0] == unmet
    assert least <= found[1] + 1e-9 <= least + programme.GAP + 2e-9


SIZES = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 400), st.sampled_from("xyz")), min_size=5, max_size=20)


@settings(max_examples=15)
@given(SIZES, st.integers(0, 5))
def test_never_worse_than_the_plain_draw_and_independent_of_order(sizes: list[tuple[int, int, str]], seed: int) -> None:
    groups = [Group(f"g{k}", {kind: (images, objects)}) for k, (images, objects, kind) in enumerate(sizes)]
    dealt = balance.balanced(groups, THIRDS, seed)
    assert dealt == balance.balanced(groups[::-1], THIRDS, seed)
    assert dealt.keys() == {group.name for group in groups}
    found, plain = (
        judged(groups, THIRDS, tuple(parts[g.name] for g in groups)) for parts in (dealt, drawn(groups, seed))
    )
    assert found[0] <= plain[0]
    assert found[0] < plain[0] or found[1] <= plain[1] + 1e-9
    kinds = Counter(kind for _, _, kind in sizes)
    reached = defaultdict(set)
    for group in groups:
        reached[next(iter(group.counts))].add(dealt[group.name])
    assert all(reached[kind] == set(THIRDS) for kind, count in kinds.items() if count >= 3)


def test_thousands_of_images_alone() -> None:
    """Of 6000 images of three kinds each part has its fraction of each kind to an image, and of the objects to 1 %."""
    rng = np.random.default_rng(0)
    groups = [Group(f"i{k}", {"xyz"[k % 3]: (1, int(rng.integers(1, 400)))}) for k in range(6000)]
    dealt = balance.balanced(groups, THIRDS, seed=0)
    for kind, (part, fraction) in itertools.product("xyz", THIRDS.items()):
        mine = [group.counts[kind][1] for group in groups if kind in group.counts and dealt[group.name] == part]
        assert abs(len(mine) - fraction * 2000) <= 1
        all_objects = sum(group.objects for group in groups if kind in group.counts)
        assert abs(sum(mine) / all_objects - fraction) < 0.01


def test_of_equals_the_seed_decides() -> None:
    groups = [Group(f"g{k}", {"": (2, 10)}) for k in range(20)]
    dealt = [balance.balanced(groups, THIRDS, seed) for seed in range(3)]
    assert [Counter(parts.values()) for parts in dealt] == 3 * [{"test": 4, "val": 2, "train": 14}]
    assert dealt[0] != dealt[1] != dealt[2] != dealt[0]


def test_a_stratum_that_cannot_reach_all_parts_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Each of four groups holds three of four strata, so every stratum has three groups, but three parts cannot all
    have one of each.
    """
    groups = [Group(f"g{k}", {s: (1, 0) for s in "wxyz" if s != "wxyz"[k]}) for k in range(4)]
    balance.balanced(groups, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, seed=0)
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == best(groups, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})[0] == 2
    assert all("no group of stratum" in message for message in told)


def test_both_deviations_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Of 1 and 3 images the plain draw gives the half to whichever comes first; no division is better."""
    caplog.set_level(logging.INFO)
    balance.balanced([Group("a", {"": (1, 0)}), Group("b", {"": (3, 0)})], {"test": 0.5, "train": 0.5}, seed=0)
    assert "deviation 0.5000 (plain draw: 0.5000); a part is off its fraction by at most 25.0 %" in caplog.text


def test_too_few_groups() -> None:
    groups = [Group("a", {"": (1, 0)}), Group("b", {"": (3, 0)})]
    with pytest.raises(KaryobenchError, match=r"2 groups of images leave none for \w+; ask for fewer parts than test,"):
        balance.balanced(groups, {"test": 0.1, "val": 0.2, "train": 0.7}, seed=0)


def test_a_solver_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulp.PULP_CBC_CMD, "pulp_cbc_path", "no-such-program")
    with pytest.raises(KaryobenchError, match="PuLP's solver CBC cannot be run"):
        balance.balanced([Group(name, {"": (1, 0)}) for name in "abc"], THIRDS, seed=0)


def test_a_solver_that_claims_success_without_a_solution(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """CBC says Optimal where it stopped at its limit; the plain draw then stands in, and a warning says so."""
    monkeypatch.setattr(pulp.LpProblem, "solve", lambda model, solver: pulp.LpStatusOptimal)
    groups = [Group(f"g{k}", {"": (1, 0)}) for k in range(10)]
    assert balance.balanced(groups, THIRDS, seed=0) == drawn(groups, seed=0)
    assert "found nothing as good as the plain draw" in caplog.text
