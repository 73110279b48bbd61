"""What a table must say about itself: data, truth, policies, thresholds, tuning, uncertainty."""

from karyobench.metrics.scores import EMPTY_IMAGE_POLICY, MACRO, MICRO, MISSING_PREDICTION_POLICY
from karyobench.metrics.thresholds import label
from karyobench.reporting import statistics
from karyobench.reporting.published import threshold_range
from karyobench.reporting.runs import Board
from karyobench.reporting.strata import strata

TRUTH = {
    "manual": "drawn or corrected by people",
    "pseudo": "PSEUDO-TRUTH: made by a program, not by people. Scores tell how well a system agrees with that program",
    "synthetic": "synthetic: exact by construction, on images that are not photographs",
}
TUNING = (
    "on validation images only, and the same for every system, the classical ones included: post-processing stands "
    "fixed in the configuration, that of the systems that come with this project as chosen by the sum of AJI and F1 on "
    "validation images; of a trained system's checkpoints the one with the lowest validation loss is taken; test "
    "images choose nothing, and nothing but weights is fitted in this run"
)
FAKES = "rows marked (fake) read the truth; their scores are known in closed form and test the workflow"


def facts(board: Board) -> list[tuple[str, str]]:
    """Name and text of each fact that belongs to a leaderboard's caption, in order of weight."""
    told = [("Data", _data(board)), ("Truth", TRUTH[board.config["dataset_facts"]["truth"]])]
    if board.subset:
        told.append(("Subset", f"NOT THE WHOLE DATASET: {board.subset}"))
    told += [
        ("Scores", f"{MACRO}. The CSV also holds {MICRO}, in the columns that end in _micro"),
        ("IoU thresholds", _thresholds(board)),
        ("Empty images", EMPTY_IMAGE_POLICY),
        ("Missing predictions", MISSING_PREDICTION_POLICY),
        ("Tuning", TUNING),
        ("Budget", "training steps and device stand in each row; 0 and - where nothing is trained"),
        ("Uncertainty", _uncertainty(board)),
        ("Ranks", _ranks(board)),
    ]
    if kinds := list(dict.fromkeys(stratum.by.replace("_", " ") for stratum in strata(board))):
        told.append(("Strata", f"scores by {', '.join(kinds)} stand in the CSV of strata"))
    if any(run.fake for run in board.runs):
        told.append(("Fake systems", FAKES))
    return told


def title(board: Board) -> str:
    """One line: leaderboard, dataset, split and its size."""
    config, images = board.config, board.images
    count, nuclei = len(images), int(images["n_true"].sum())
    return f"{config['name']}: {config['split']} split of {config['dataset']}, {count} images, {nuclei} nuclei"


def score_labels(board: Board) -> dict[str, str]:
    """Heading of each score, in the order of the tables for people."""
    metrics = board.config["metrics"]
    return {
        "aji": "AJI",
        "f1": f"F1@{label(metrics['f1_threshold'])}",
        "ap": f"AP@{threshold_range(metrics['iou_thresholds'])}",
        **{"pq": "PQ", "sq": "SQ", "dq": "DQ"},
        **{"dice": "Dice", "mean_iu": "mean IU", "pixel_accuracy": "pixel accuracy"},
    }


def _data(board: Board) -> str:
    about = board.config["dataset_facts"]
    size = f"{about['mpp']} microns per pixel" if about.get("mpp") else "pixel size unknown"
    source = f"{about.get('citation', 'source not stated')}. Licence: {about.get('licence', 'not stated')}"
    return f"{title(board).split(': ', 1)[1]}; {size}. {source}"


def _thresholds(board: Board) -> str:
    metrics = board.config["metrics"]
    return (
        f"strict (a match needs IoU > t), compared in exact integers. F1 at {label(metrics['f1_threshold'])}; AP: mean "
        f"over {threshold_range(metrics['iou_thresholds'])} of TP/(TP+FP+FN); PQ, SQ and DQ at 0.50; AJI by the "
        "official rule, without a threshold"
    )


def _uncertainty(board: Board) -> str:
    told = "± is the standard deviation over seeds, left out for one seed; 95% interval: "
    if few := _too_few(board):
        return f"{told}left out, since {few}"
    return (
        f"{told}percentile bootstrap, {statistics.RESAMPLES} draws of {_drawn(board)}, of the scores averaged over "
        "seeds; of all scores in the summary CSV. It tells of other images, ± of other seeds"
    )


def _ranks(board: Board) -> str:
    told = "by AJI, fakes left out; other scores in the summary CSV"
    if few := _too_few(board):
        return f"{told}. No intervals, and no word on who differs, since {few}"
    return (
        f"{told}. Intervals of ranks and of differences to the best come from the same draws for every experiment "
        "(paired); an experiment whose difference's interval holds 0 cannot be told from the best. Each interval is at "
        "95% on its own, not adjusted for their number"
    )


def _too_few(board: Board) -> str:
    """Why there are no intervals; blank where there are."""
    kind, count = statistics.units(board.images["group"].tolist())
    if count >= statistics.FEWEST_UNITS:
        return ""
    return f"{count} {kind} of images are too few (at least {statistics.FEWEST_UNITS})"


def _drawn(board: Board) -> str:
    kind, count = statistics.units(board.images["group"].tolist())
    return f"{count} groups of images" if kind == "groups" else f"{count} images"
