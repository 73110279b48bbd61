"""A study of points end to end: from frames and lists of mitoses to a site, by the rules that outline nuclei."""

from pathlib import Path

import pandas as pd
import pytest

import point_study
import smoke

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = smoke.make_workdir(tmp_path_factory.mktemp("points"))
    point_study.write(path)
    done = smoke.run(path, "--cores", "2")
    if done.returncode != 0:
        pytest.fail(f"the study of points failed:\n{done.stdout}")
    return path


def test_scores_are_the_closed_forms(workdir: Path) -> None:
    """Three squares a frame: of the points of 03 all match on H and two on A, of 04 the one, of 05 three of four."""
    rows = pd.read_csv(workdir / "results/leaderboards/tiny.csv").set_index("experiment")
    otsu, nothing = rows.loc[point_study.OTSU], rows.loc[point_study.NOTHING]
    f1 = (4 / 6 + 1 + 2 * (2 / 4) + 2 * (6 / 7)) / 6
    assert otsu["point_f1"] == pytest.approx(f1, abs=1e-6)
    assert otsu["point_recall"] == pytest.approx((2 / 3 + 1 + 2 * 1 + 2 * 3 / 4) / 6, abs=1e-6)
    assert otsu["point_precision"] == pytest.approx((2 / 3 + 1 + 2 * 1 / 3 + 2 * 1) / 6, abs=1e-6)
    assert otsu["count_error"] == pytest.approx((0 + 2 + 1) / 3, abs=1e-6)
    assert otsu[["n_points", "n_pred", "matched", "missed", "false"]].tolist() == [16, 18, 13, 3, 5]
    assert nothing[["point_f1", "matched", "missed", "n_missing"]].tolist() == [0, 0, 16, 1]


def test_scanners_are_strata_whose_radius_differs(workdir: Path) -> None:
    strata = pd.read_csv(workdir / "results/leaderboards/tiny_strata.csv").set_index(["stratum", "experiment"])
    of = {scanner: strata.loc[(scanner, point_study.OTSU), "point_f1"] for scanner in ("aperio", "hamamatsu")}
    assert of["hamamatsu"] - of["aperio"] == pytest.approx((1 - 4 / 6) / 3, abs=1e-6)


def test_the_site_has_a_card_of_each_frame(workdir: Path) -> None:
    images = (workdir / "results/site/tiny/images/tiny.html").read_text()
    assert images.count("<article") == len(point_study.FRAMES)
    assert "2 right, 1 missed, 1 false" in images


def test_another_radius_counts_anew_and_predicts_nothing(workdir: Path) -> None:
    assert "Nothing to be done" in smoke.run(workdir, "--cores", "1").stdout
    config = smoke.read_config(workdir)
    config["metrics"]["point_radius"]["mitoses"] = {"microns": 2, "pixels": 1}
    smoke.write_config(workdir, config)
    dry = smoke.run(workdir, "--dry-run", "--cores", "1").stdout
    smoke.write_config(workdir, point_study.config())
    assert all(f"rule {name}:" in dry for name in ("evaluate", "leaderboard", "report"))
    assert not any(f"rule {name}:" in dry for name in ("ingest", "predict", "merge"))
