"""Figures: text as text, themed colours, ids that do not clash, equal bytes for equal input."""

import re
import xml.etree.ElementTree as ET

import numpy as np

from karyobench.reporting.curves import Bar, Curve, score_bars, training_curves

_ODD = 'a $x_1$ <b>&"q"'


def texts(svg: str) -> list[str]:
    """Content of each text element of a well-formed SVG."""
    return [e.text or "" for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def curve(label: str) -> Curve:
    """Ten steps, validated at every second."""
    steps = np.arange(10.0)
    return Curve(label, steps, 1 / (steps + 1), np.where(steps % 2, 0.5, np.nan))


def test_bars_tell_names_and_scores_as_text() -> None:
    told = texts(score_bars("b", [Bar("unet3", 0.6, 0.79, (0.5, 0.7), None), Bar(_ODD, float("nan"), 0.0)]))
    for expected in ("unet3", "AJI 0.600", "F1 0.790", _ODD, "AJI undefined", "F1 0.000"):
        assert expected in told


def test_training_curves_have_a_panel_per_experiment_and_one_legend_each() -> None:
    told = texts(training_curves("t", [[curve("unet3"), curve("unet3")], [curve(_ODD)]]))
    assert told.count("unet3") == 1
    assert told.count(_ODD) == 1
    assert told.count("training") == told.count("validation") == 2


def test_figures_take_their_colours_from_the_page() -> None:
    svg = score_bars("b", [Bar("x", 0.5, 0.6)])
    assert "currentColor" in svg
    assert "var(--first, #" in svg
    assert "var(--second, #" in svg
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
