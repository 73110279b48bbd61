"""Figures: text as text, themed colours, ids that do not clash, equal bytes for equal input."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from karyobench.reporting.curves import Curve, Interval, score_intervals, training_curves
from karyobench.reporting.entries import Entry

HISTORY = "step,loss,val_loss,learning_rate,rate,train_rate"
_ODD = 'a $x_1$ <b>&"q"'


def texts(svg: str) -> list[str]:
    """Content of each text element of a well-formed SVG."""
    return [e.text or "" for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def curve(label: str) -> Curve:
    """Ten steps, validated at every second."""
    steps = np.arange(10.0)
    return Curve(label, steps, 1 / (steps + 1), np.where(steps % 2, 0.5, np.nan))


def test_intervals_tell_names_scores_and_ends_as_text() -> None:
    told = texts(
        score_intervals("b", "AJI", [Interval("unet3", 0.6, (0.5, 0.7), True), Interval(_ODD, 0.25, None, False)])
    )
    for expected in ("unet3: 0.600 (0.500–0.700)", f"{_ODD}: 0.250", "AJI"):
        assert expected in told


def test_what_is_level_with_the_best_is_filled() -> None:
    def filled(level: bool) -> bool:
        svg = score_intervals("b", "AJI", [Interval("x", 0.6, None, True), Interval("y", 0.5, None, level)])
        return "fill: var(--paper" not in svg

    assert filled(True)
    assert not filled(False)


def test_training_curves_have_a_panel_per_experiment_and_one_legend_each() -> None:
    told = texts(training_curves("t", [[curve("unet3"), curve("unet3")], [curve(_ODD)]]))
    assert told.count("unet3") == 1
    assert told.count(_ODD) == 1
    assert told.count("training") == told.count("validation") == 2


def test_measures_of_validation_have_a_panel_each() -> None:
    rates = {"rate": np.where(np.arange(10) % 2, 0.9, np.nan), "dice": np.full(10, 0.5)}
    told = texts(training_curves("t", [[replace(curve("alexnet"), measures=rates)], [curve("unet3")]]))
    assert {"rate", "dice"} <= set(told)
    assert told.count("loss") == 2
    assert told.count("alexnet") == 1


def test_columns_of_a_history_become_measures_of_training_and_of_validation() -> None:
    history = pd.DataFrame({name: [float(place)] for place, name in enumerate(HISTORY.split(","))})
    entry = Entry(None, SimpleNamespace(experiment="alexnet"), {}, pd.DataFrame(), {}, history)
    assert (entry.curve.steps, entry.curve.loss, entry.curve.val_loss) == ([0], [1], [2])
    assert (entry.curve.measures, entry.curve.training) == ({"rate": [4]}, {"rate": [5]})


def test_training_and_validation_share_the_panel_of_a_measure() -> None:
    rates, steps = {"rate": np.full(10, 0.9)}, {"rate": np.full(10, 0.8), "dice": np.full(10, 0.5)}
    both = replace(curve("alexnet"), measures=rates, training=steps)
    told = texts(training_curves("t", [[both, curve("alexnet")]]))
    assert {told.count(name) for name in ("loss", "rate", "dice")} == {1}

    def lines(**measures: dict[str, np.ndarray]) -> int:
        svg = training_curves("t", [[replace(curve("a"), **measures)]])
        return len(re.findall(r"stroke-width: 1\.4", svg))

    losses = lines()
    assert lines(measures=rates) == losses + 1
    assert lines(training=steps) == losses + 2
    assert lines(training=steps, measures=rates) == losses + 3


def test_long_runs_are_drawn_as_means_of_neighbours() -> None:
    steps = np.arange(1, 40001.0)
    long = Curve("long", steps, np.where(steps % 2, 0.0, 2.0), np.full(40000, np.nan))
    svg = training_curves("t", [[long]])
    assert len(svg) < 60_000
    ticks = [float(text) for text in texts(svg) if re.fullmatch(r"[\d.]+", text)]
    assert not [tick for tick in ticks if 1.5 < tick < 40]


def test_figures_take_their_colours_from_the_page() -> None:
    svg = score_intervals("b", "AJI", [Interval("x", 0.5, (0.4, 0.6), True), Interval("y", 0.4, None, False)])
    assert "currentColor" in svg
    assert "var(--first, #" in svg
    assert "var(--second, #" in svg
    assert "var(--paper, #" in svg
    assert "#010203" not in svg


def test_ids_of_two_figures_do_not_clash_and_resolve() -> None:
    svgs = [training_curves(name, [[curve("unet3")]]) for name in ("one", "two")]
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in svgs]
    assert not ids[0] & ids[1]
    for svg, known in zip(svgs, ids, strict=True):
        used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg))
        assert used
        assert {a or b for a, b in used} <= known


def test_figures_are_deterministic_and_carry_no_date() -> None:
    first, second = (training_curves("t", [[curve("unet3")]]) for _ in range(2))
    assert first == second
    assert "<metadata" not in first
