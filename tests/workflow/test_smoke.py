"""The smoke study end to end: closed-form scores, equal numbers on every run, and no work when nothing changed."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

import smoke
import synthetic
from karyobench.datasets import store


@pytest.fixture(scope="module")
def board(finished: Path) -> pd.DataFrame:
    return pd.read_csv(finished / "results/leaderboards/smoke.csv").set_index("experiment")


def test_the_leaderboard_has_its_columns_and_a_row_per_experiment(board: pd.DataFrame) -> None:
    needed = {"seed", "n_images", "pixel_accuracy", "mean_iu", "dice", "f1", "aji", "ap", "pq", "sq", "dq"}
    assert needed <= set(board.columns)
    assert list(board.index.sort_values()) == sorted(smoke.config()["experiments"])


def test_the_fakes_score_as_their_closed_forms_say(board: pd.DataFrame) -> None:
    """Through the real tiles and the real merge. An image without nuclei scores 1 where nothing is predicted in it."""
    for fake in smoke.FAKES:
        for score, expected in synthetic.expected(fake).items():
            assert board.loc[f"{fake}-smoke", score] == pytest.approx(expected, abs=1e-6), (fake, score)


def test_tiles_did_cut_nuclei(finished: Path) -> None:
    """The closed forms above mean something only if the merge had work to do."""
    with store.reading(finished / "results/datasets/smoke.h5") as images:
        truth = images.instances(images.ids[0])
    seam = smoke.TILE
    assert np.intersect1d(truth[seam - 1][truth[seam - 1] > 0], truth[seam]).size > 0


def test_a_second_run_has_nothing_to_do(finished: Path) -> None:
    again = smoke.run(finished, "--cores", "2")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout


def test_two_runs_from_nothing_give_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    other = smoke.make_workdir(tmp_path)
    done = smoke.run(other, "--cores", "1")
    assert done.returncode == 0, done.stdout
    assert smoke.leaderboard_files(other) == smoke.leaderboard_files(finished)


def test_a_printed_command_runs_by_hand(finished: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "copy"
    shutil.copytree(finished, workdir)
    line = smoke.commands(workdir, "--forcerun", "evaluate")["evaluate"][0]
    counts = workdir / line.split("--output ")[1].split()[0]
    before = counts.read_bytes()
    counts.unlink()
    subprocess.run(["bash", "-c", line], cwd=workdir, env=smoke.environment(), check=True, capture_output=True)
    assert counts.read_bytes() == before


def test_snakemake_s_own_report_is_made(finished: Path, tmp_path: Path) -> None:
    made = smoke.run(finished, "--report", str(tmp_path / "report.zip"), "--cores", "1")
    assert made.returncode == 0, made.stdout
    assert (tmp_path / "report.zip").stat().st_size > 10_000


DUMMY = '''"""Every bright-blue pixel is nucleus: a system from outside the library."""

import numpy as np
from scipy import ndimage

TASK = "Dummy: blue threshold"
OUTPUT = "maps"
TRAINED = False
KEYS = {"predict": ("tile", "overlap", "blue")}


def predict(network, tile, config):
    image = tile.image.astype(int)
    return (image[..., 2] - image[..., 0] > config["predict"]["blue"]).astype(np.float32)[None]


def instances(maps, config):
    return ndimage.label(maps[0] > 0.5)[0].astype(np.int32)
'''


def test_a_system_from_outside_and_label_maps_made_elsewhere_need_no_rule(finished: Path, tmp_path: Path) -> None:
    """One module and one entry; a folder of label maps; a missing label map counts as all nuclei missed."""
    workdir = tmp_path / "copy"
    shutil.copytree(finished, workdir)
    (workdir / "mine.py").write_text(DUMMY)
    (workdir / "labels").mkdir()
    with store.reading(workdir / "results/datasets/smoke.h5") as images:
        tested = synthetic.dataset("smoke-data")["split"]["test"]
        for image_id in tested[1:]:
            tifffile.imwrite(workdir / "labels" / f"{image_id}.tif", images.instances(image_id).astype(np.uint16))
        lost = int(images.instances(tested[0]).max())
    config = smoke.read_config(workdir)
    config["systems"]["mine"] = {"module": "mine.py", "predict": {"tile": 64, "overlap": 16, "blue": 10}}
    config["systems"]["elsewhere"] = {
        "module": "precomputed",
        "predict": {"folder": "labels", "tile": None},
        "instances": {"min_edge": 3},
    }
    for name in ("mine", "elsewhere"):
        config["experiments"][f"{name}-smoke"] = {"system": name, "stain": "none"}
        config["leaderboards"]["smoke"]["experiments"].append(f"{name}-smoke")
    smoke.write_config(workdir, config)
    done = smoke.run(workdir, "--cores", "2")
    assert done.returncode == 0, done.stdout
    board = pd.read_csv(workdir / "results/leaderboards/smoke.csv").set_index("experiment")
    assert board.loc["mine-smoke", "f1"] > 0
    assert lost > 0
    assert board.loc["elsewhere-smoke", "n_missing"] == 1
    assert board.loc["elsewhere-smoke", "f1"] == pytest.approx((len(tested) - 1) / len(tested), abs=1e-6)
