"""The leaderboard step on counts made from small maps: columns, order, facts in the captions, equal bytes."""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import leaderboard as step
import show
from karyobench.datasets.store import Field, writing
from karyobench.errors import KaryobenchError
from karyobench.metrics.counts import count_image, write_counts
from karyobench.metrics.kinds import ERRORS, OBJECTS
from karyobench.metrics.scores import EMPTY_IMAGE_POLICY, MISSING_PREDICTION_POLICY, SCORES, thresholds
from karyobench.reporting import captions, latex, leaderboard, outputs, ranks, runs, terminal

SCRIPTS = Path(__file__).parents[2] / "scripts"
METRICS = {"iou_thresholds": [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95], "f1_threshold": 0.5}
IMAGES = ["a", "b", "c", "d"]
NAMES = {
    **{"csv": "t.csv", "summary": "t_summary.csv", "strata": "t_strata.csv", "pairs": "t_pairs.csv"},
    **{"reproduction": "t_reproduction.csv", "ranks": "t_ranks.svg", "markdown": "t.md", "latex": "t.tex"},
}


def truth_of(image):
    """Three 6 x 6 squares; none in image `d`."""
    made = np.zeros((10, 30), np.int32)
    for number in range(3) if image != "d" else ():
        made[2:8, 10 * number + 2 : 10 * number + 8] = number + 1
    return made


def shifted(truth, seed):
    return np.roll(truth, seed, axis=0)


PREDICTORS = {
    "oracle_truth": lambda image, seed: truth_of(image),
    "unet3": lambda image, seed: shifted(truth_of(image), seed),
    "otsu": lambda image, seed: None if image == "a" else np.minimum(truth_of(image), 1),
}


def counts_of(system, seed):
    rows = []
    for image in IMAGES:
        about = {"image": image, "parent": image, "group": image, "image_type": "he", "split": "test"}
        rows.append(about | count_image(truth_of(image), PREDICTORS[system](image, seed), thresholds(METRICS)))
    rows.append(rows[0] | {"image": "other", "split": "val", "n_true": 99})
    return pd.DataFrame(rows)


def write_dataset(about):
    with writing("toy.h5", about) as writer:
        for image in IMAGES:
            writer.add(
                Field(image, np.zeros((10, 30, 3), np.uint8), truth_of(image), {"image_type": "he", "group": image})
            )


def row_of(folder, system, seed):
    metrics, record = folder / f"{system}-{seed}.csv", folder / f"{system}-{seed}.json"
    write_counts(metrics, counts_of(system, seed))
    record.write_text(json.dumps({"device": "cpu", "minutes": 4.2, "steps": 300}))
    trained = system == "unet3"
    made = {"experiment": f"{system}-toy", "system": system, "seed": seed, "metrics": metrics.name}
    made["history"] = None
    return made | {"run": record.name if trained else None, "task": f"{system} & co.", "initial": "scratch"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dataset({"subset": "4 of 40 images"})
    return tmp_path


@pytest.fixture
def config(folder):
    rows = [row_of(folder, "otsu", 1), *(row_of(folder, "unet3", seed) for seed in (1, 2))]
    rows.append(row_of(folder, "oracle_truth", 1))
    facts = {"truth": "pseudo", "licence": "CC0-1.0", "citation": "Toys & sons 100%", "mpp": 0.5}
    named = {"name": "toy", "dataset": "toys", "split": "test", "published": "dsb2018", "scores": []}
    return {**named, "rows": rows, "metrics": METRICS, "dataset_facts": facts}


def board_of(config):
    rows = config["rows"]
    return runs.load(config, [r["metrics"] for r in rows], [r["run"] for r in rows if r["run"]], "toy.h5")


def pages(config):
    texts = outputs.texts(board_of(config))
    return texts["markdown"], texts["latex"]


def summary_of(config):
    board = board_of(config)
    return leaderboard.summary(board, ranks.comparison(board))


def options_of(config, out):
    rows = config["rows"]
    options = ["--config", json.dumps(config)]
    options += ["--metrics", *(r["metrics"] for r in rows), "--runs", *(r["run"] for r in rows if r["run"])]
    options += ["--dataset", "toy.h5"]
    return options + [part for kind, name in NAMES.items() for part in (f"--{kind}", f"{out}/{name}")]


def run_here(config, out):
    step.main(step.arguments().parse_args(options_of(config, out)))


def run_alone(config, out):
    command = [sys.executable, SCRIPTS / "leaderboard.py", *options_of(config, out)]
    return subprocess.run(command, capture_output=True, text=True)


def test_tables_tell_which_networks_another_runtime_has_run(config):
    assert all("Predicted by" not in page for page in pages(config))
    for row in config["rows"]:
        if row["system"] == "unet3":
            row["runtime"] = {"name": "openvino", "precision": "int8"}
    assert "**Predicted by**: torch, but for unet3-toy: openvino int8." in pages(config)[0]


def test_tables_tell_what_trainings_started_from_unless_all_were_from_scratch(config):
    assert all("Initial weights" not in page for page in pages(config))
    for row in config["rows"]:
        row["initial"] = "pretrained vgg16-imagenet" if row["system"] == "unet3" else "scratch"
    told = "unet3-toy: pretrained vgg16-imagenet."  # what is not trained starts from nothing
    assert f"**Initial weights**: {told}" in pages(config)[0] and told in pages(config)[1]


def test_measured_rows(config):
    table = leaderboard.measured(board_of(config))
    assert table.columns[:12].tolist() == ["experiment", "seed", "n_images", *SCORES]
    assert table[["experiment", "seed"]].to_numpy().tolist() == [
        ["oracle_truth-toy", 1],
        ["unet3-toy", 1],
        ["unet3-toy", 2],
        ["otsu-toy", 1],
    ]
    # Shift 1: IoU 5/7; shift 2: 4/8, which a strict threshold of 0.5 refuses. Image d is empty and scores 1.
    assert table["aji"].tolist() == pytest.approx(
        [1, (3 * 5 / 7 + 1) / 4, (3 * 1 / 2 + 1) / 4, (0 + 2 * 1 / 3 + 1) / 4]
    )
    assert table["f1"].tolist() == [1, 1, 0.25, 0.25]
    assert table["aji_micro"].tolist() == pytest.approx([1, 5 / 7, 1 / 2, 2 * 108 / (2 * 324 + 108)])
    assert table["n_nuclei"].tolist() == [9] * 4
    assert table["n_missing"].tolist() == [0, 0, 0, 1]
    assert table["steps"].tolist() == [0, 300, 300, 0]
    assert table["device"].tolist() == ["-", "cpu", "cpu", "-"]
    # Otsu finds one object over the three of images b and c, and nothing in a.
    assert table[["n_pred", "missed", "false", "merges", "splits"]].to_numpy().tolist() == [
        [9, 0, 0, 0, 0],
        [9, 0, 0, 0, 0],
        [9, 0, 0, 0, 0],
        [2, 3, 0, 2, 0],
    ]
    assert set(table["source"]) == {"measured"}
    assert set(table["subset"]) == {"4 of 40 images"}


def test_summary_rows(config):
    table = summary_of(config).set_index("experiment")
    assert table.index.tolist() == ["oracle_truth-toy", "unet3-toy", "otsu-toy"]
    unet = table.loc["unet3-toy"]
    seeds = [(3 * 5 / 7 + 1) / 4, (3 * 1 / 2 + 1) / 4]
    assert unet["n_seeds"] == 2
    assert unet["aji"] == pytest.approx(np.mean(seeds))
    assert unet["aji_spread"] == pytest.approx(np.std(seeds, ddof=1))
    assert unet["aji_low"] == pytest.approx((5 / 7 + 1 / 2) / 2)
    assert unet["aji_low"] < unet["aji"] < unet["aji_high"] < 1
    assert np.isnan(table.loc["otsu-toy", "aji_spread"])
    assert table.loc["oracle_truth-toy", ["aji_low", "aji_high"]].tolist() == [1, 1]
    assert table["note"].str.startswith("fake").tolist() == [True, False, False]


def test_summary_csv_sets_published_rows_last(config):
    text = outputs.texts(board_of(config))["summary"]
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert table.columns.tolist() == [*leaderboard.summary_columns(OBJECTS), *ERRORS]
    assert table["source"].tolist() == ["measured"] * 3 + ["published"] * 19
    assert table.loc[0, ["aji", "aji_spread", "steps"]].tolist() == ["1.000000", "", "0"]
    kaggle = table[table["experiment"] == "Kaggle leaderboard: first place"].iloc[0]
    assert kaggle[["ap", "aji", "split"]].tolist() == ["0.631", "", "DSB 2018 stage-2 test"]
    assert (kaggle["reference"], kaggle["truth"]) == ("P-RCNN paper section 5.1.1", "")


def test_step_twice_writes_equal_bytes(config, folder):
    run_here(config, "one")
    done = run_alone(config, "two")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "one").iterdir()) == sorted(NAMES.values())
    for name in NAMES.values():
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_csv_holds_no_minutes(config):
    text = leaderboard.csv_text(leaderboard.measured(board_of(config)))
    assert "4.2" not in text
    assert text.splitlines()[1].startswith("oracle_truth-toy,1,4,1.000000,")


def test_markdown_states_its_facts(config):
    page, _ = pages(config)
    lines = page.splitlines()
    assert lines[0] == "# toy: test split of toys, 4 images, 9 nuclei"
    assert lines[2].startswith("> **PSEUDO-TRUTH: ")
    assert lines[4] == "> **NOT THE WHOLE DATASET: 4 of 40 images.**"
    for said in (EMPTY_IMAGE_POLICY, MISSING_PREDICTION_POLICY, captions.TUNING, "0.5 microns per pixel"):
        assert said in page
    for said in ("macro, the", "IoU > t", "F1 at 0.50", "0.50:0.95", "CC0-1.0", "9999 draws of 4 images"):
        assert said in page
    table = lines[: lines.index("## Errors")]
    rows = [line for line in table if line.startswith("| unet3-toy")]
    assert len(rows) == 1
    assert rows[0].split(" | ")[1:5] == ["1 (1 to 1)", "0.705 ± 0.114", "0.607 to 0.902", "best"]
    behind = next(line for line in lines if line.startswith("| otsu-toy"))
    assert behind.split(" | ")[1:5] == ["2 (2 to 2)", "0.417", "0.083 to 0.833", "-0.289 (-0.524 to -0.068)"]
    assert rows[0].endswith("| 2 | 300 | cpu | 0 |")
    assert any(line.startswith("| oracle_truth-toy (fake) | - | 1.000 |") for line in lines)
    assert "| otsu-toy | 2 | 3 | 0 | 2 | 0 |" in lines
    assert "merged: predicted objects in which two or more truth objects lie" in page
    assert page.index("| otsu-toy") < page.index("## Published figures") < page.index("Kaggle leaderboard: first place")
    widths = {line.count(" | ") for line in table if line.startswith("| ")}
    assert len(widths) == 1


def test_latex_has_a_table_and_published_ones_that_break_pages(config):
    _, page = pages(config)
    assert page.count("\\begin{table}") == page.count("\\end{table}") == 1
    assert page.count("\\begin{tabular}") == page.count("\\end{tabular}") == 2
    assert page.count("\\begin{longtable}") == page.count("\\end{longtable}") == 2
    assert page.count("\\toprule") == page.count("\\bottomrule") == 4
    assert page.count("{") == page.count("}")
    assert "Toys \\& sons 100\\%" in page
    assert "oracle\\_truth-toy (fake) & - & 1.000 & " in page
    assert "0.705 $\\pm$ 0.114" in page
    assert page.isascii()
    measured = page[page.index("\\toprule") : page.index("\\bottomrule")]
    columns = len(page.split("\\begin{tabular}{")[1].split("}")[0])
    assert {line.count(" & ") + 1 for line in measured.splitlines() if line.endswith("\\\\")} == {columns}


def test_latex_escapes_every_special_character():
    assert latex._escaped("a_b & 5% $x^2$ #1 {~} \\ <>") == (
        "a\\_b \\& 5\\% \\$x\\textasciicircum{}2\\$ \\#1 \\{\\textasciitilde{}\\} \\textbackslash{} "
        "\\textless{}\\textgreater{}"
    )


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex on this machine")
def test_latex_compiles_and_fits_its_page(config, tmp_path):
    preamble = "\\documentclass[a4paper]{article}\\usepackage{array,booktabs,graphicx,longtable}\\begin{document}"
    (tmp_path / "page.tex").write_text(f"{preamble}\n{pages(config)[1]}\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    for _ in range(3):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Float too large" not in done.stdout
    wide = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
    assert max(wide, default=0) < 40


def test_two_groups_give_no_interval_and_say_so(config):
    for row in config["rows"]:
        counts = pd.read_csv(row["metrics"])
        write_counts(row["metrics"], counts.assign(group=["p", "p", "q", "q", "q"]))
    page, _ = pages(config)
    assert "left out, since 2 groups of images are too few (at least 3)" in page
    assert "AJI 95% interval" not in page
    assert "no word on who differs, since 2 groups of images are too few" in page
    assert "| otsu-toy | 2 | 0.417 | -0.289 |" in page


def test_whole_manual_dataset_without_published_rows(config):
    write_dataset({})
    config["published"], config["dataset_facts"]["truth"] = None, "manual"
    page, source = pages(config)
    assert "drawn or corrected by people" in page
    assert not any(word in page + source for word in ("PSEUDO", "WHOLE", "Published", "ublished figures"))


def test_changing_an_option_needs_no_new_counts(config):
    config["metrics"] = METRICS | {"iou_thresholds": [0.5, 0.75]}
    table = leaderboard.measured(board_of(config)).set_index(["experiment", "seed"])
    assert table.loc[("unet3-toy", 1), "ap"] == pytest.approx((3 * 1 / 2 + 1) / 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["rows"].clear(), "names no experiments"),
        (lambda c: c.update(metrics=METRICS | {"f1_threshold": 0.51}), r"otsu-1\.csv: no column tp@0\.51"),
        (lambda c: c.update(split="unused"), r"otsu-1\.csv: no image of split 'unused'"),
        (lambda c: Path("unet3-2.json").write_text("{}"), r"unet3-2\.json: .*train again"),
        (lambda c: write_counts("unet3-1.csv", counts_of("unet3", 1)[1:]), r"unet3-1\.csv: scored on other images"),
    ],
)
def test_refusals(config, change, words):
    change(config)
    with pytest.raises(KaryobenchError, match=words):
        board_of(config)


def test_options_must_agree_with_the_slice(config):
    with pytest.raises(KaryobenchError, match="--metrics must give the files of the rows"):
        runs.load(config, ["other.csv"], [], "toy.h5")


def test_step_names_the_fault_and_writes_nothing(config, folder):
    Path("otsu-1.csv").write_text("nothing")
    done = run_alone(config, "out")
    assert done.returncode == 1
    assert "otsu-1.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize("name", ["t.csv", "t_summary.csv"])
def test_show_prints_both_kinds_of_table(config, folder, name, capsys):
    run_here(config, "out")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").touch()
    show.main(show.arguments().parse_args(["--leaderboards", f"out/{name}", "--site", "site"]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "t: test split of toys, 4 images, 9 nuclei, PSEUDO-TRUTH, SUBSET"
    assert lines[2].split()[0] == "experiment"
    assert lines[4].split()[:2] == ["oracle_truth-toy", "(fake)"]
    assert lines[-1] == f"Site: {(folder / 'site' / 'index.html').resolve()}"
    shown = "\n".join(lines)
    assert ("0.705 ± 0.114" in shown) == ("Kaggle leaderboard: first place" in shown) == (name == "t_summary.csv")
    assert ("unet3-toy                1 (1-1)  0.705" in shown) == (name == "t_summary.csv")


def test_show_without_a_site_is_refused(config, folder):
    run_here(config, "out")
    with pytest.raises(KaryobenchError, match="no site there"):
        show.main(show.arguments().parse_args(["--leaderboards", "out/t.csv", "--site", "site"]))


def test_show_refuses_foreign_files(folder):
    Path("x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(KaryobenchError, match=r"x\.csv: no column experiment"):
        terminal.read("x.csv")
    with pytest.raises(KaryobenchError, match=r"absent\.csv: cannot be read as a leaderboard"):
        terminal.read("absent.csv")
