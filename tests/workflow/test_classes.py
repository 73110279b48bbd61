"""A study of classes end to end: from pictures to a site, by the rules that outline nuclei."""

from pathlib import Path

import pandas as pd
import pytest

import class_study
import smoke

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = smoke.make_workdir(tmp_path_factory.mktemp("classes"))
    class_study.write(path)
    done = smoke.run(path, "--cores", "2")
    if done.returncode != 0:
        pytest.fail(f"the study of classes failed:\n{done.stdout}")
    return path


@pytest.mark.parametrize("board", ["tiny", "tiny_patient"])
def test_scores_are_the_closed_forms(workdir: Path, board: str) -> None:
    """The share of a class, of its patients, and one half, for whoever tells one class of every image."""
    rows = pd.read_csv(workdir / f"results/leaderboards/{board}.csv").set_index("experiment")
    split = pd.read_csv(workdir / f"results/splits/{board.replace('_', '@')}.csv").set_index("image")["split"]
    tested = {image: label for image, label in class_study.images().items() if split[image] == "test"}
    share = sum(label == "malignant" for label in tested.values()) / len(tested)
    patients = {image.split("-")[2]: label for image, label in tested.items()}
    of_patients = sum(label == "malignant" for label in patients.values()) / len(patients)
    scores = ["image_rate", "patient_rate", "roc_auc"]
    assert rows.loc[class_study.FAKE, scores].tolist() == [1, 1, 1]
    for name, sign in ((class_study.MALIGNANT, 1), (class_study.BENIGN, -1)):
        expected = [value if sign == 1 else 1 - value for value in (share, of_patients)]
        assert rows.loc[name, scores].tolist() == pytest.approx([*expected, 0.5], abs=1e-6)
    missing = sum(image.endswith("-100-001") for image in tested)
    assert rows.loc[class_study.DARK, "n_missing"] == missing > 0
    assert rows.loc[class_study.DARK, "image_rate"] <= 1 - missing / len(tested)


def test_only_the_split_by_image_leaks(workdir: Path) -> None:
    assert "LEAKS" in (workdir / "results/leaderboards/tiny.md").read_text()
    assert "LEAKS" not in (workdir / "results/leaderboards/tiny_patient.md").read_text()


def test_a_second_run_has_nothing_to_do_and_other_classes_redo_all(workdir: Path) -> None:
    assert "Nothing to be done" in smoke.run(workdir, "--cores", "1").stdout
    config = smoke.read_config(workdir)
    config["datasets"]["tiny"]["classes"] = ["malignant", "benign"]
    kept = (workdir / "smoke.yaml").read_bytes()
    smoke.write_config(workdir, config)
    dry = smoke.run(workdir, "--dry-run", "--cores", "1").stdout
    (workdir / "smoke.yaml").write_bytes(kept)
    assert all(f"rule {name}:" in dry for name in ("ingest", "predict", "merge", "evaluate", "leaderboard", "report"))
