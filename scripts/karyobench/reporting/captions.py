"""What a table must say about itself: data, truth, policies, thresholds, tuning, uncertainty."""

from collections.abc import Iterator

from karyobench.metrics import point_scores
from karyobench.metrics.class_scores import RECALL
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
TUNING_OF_CLASSES = (
    "on validation images only, and the same for every system: of a trained system's checkpoints the one with the "
    "lowest validation loss is taken; no threshold is chosen, and test images choose nothing"
)
CLASS_SCORES = (
    "image rate: share of the images whose class is right; patient rate: mean over patients of the share of their "
    "images whose class is right (Spanhol et al. 2016); recall of a class: share of its images that are told as it"
)
MISSING_CLASS_POLICY = (
    "an image without a prediction is wrong in every rate and recall, and in the ROC AUC every pair of images that it "
    "is part of is in the wrong order; no image is dropped"
)
POOLED = f"The CSV also holds {MICRO}, in the columns that end in _micro"
POINT_RULE = (
    "the centre of each predicted object against the true points, one to one: the most pairs possible, of those the "
    "least summed distance, and none farther apart than"
)
FAKES = "rows marked (fake) read the truth; their scores are known in closed form and test the workflow"


def facts(board: Board) -> list[tuple[str, str]]:
    """Name and text of each fact that belongs to a leaderboard's caption, in order of weight."""
    told = [("Data", _data(board)), ("Truth", TRUTH[board.config["dataset_facts"]["truth"]])]
    if board.subset:
        told.append(("Subset", f"NOT THE WHOLE DATASET: {board.subset}"))
    if leaks := leak(board):
        told.append(("Split", leaks))
    told += {"classes": _of_classes, "points": _of_points, "objects": _of_objects}[board.kind.name](board)
    if starts := _starts(board):
        told.append(("Initial weights", starts))
    if runtimes := _runtimes(board):
        told.append(("Predicted by", f"torch, but for {runtimes}"))
    told += [
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
    config, count = board.config, len(board.images)
    return f"{config['name']}: {config['split']} split of {config['dataset']}, {count} images, {_held(board)}"


def score_labels(board: Board) -> dict[str, str]:
    """Heading of each score, in the order of the tables for people."""
    metrics = board.config["metrics"]
    if board.kind.classes:
        rates = {"image_rate": "image rate", "patient_rate": "patient rate", "roc_auc": "ROC AUC"}
        return rates | {f"{RECALL}{name}": f"recall {name}" for name in board.kind.classes}
    if board.kind.name == "points":
        return dict(zip(point_scores.SCORES, ("F1", "precision", "recall", "count error"), strict=True))
    labels = {
        "aji": "AJI",
        "f1": f"F1@{label(metrics['f1_threshold'])}",
        "ap": f"AP@{threshold_range(metrics['iou_thresholds'])}",
        **{"pq": "PQ", "sq": "SQ", "dq": "DQ"},
        **{"dice": "Dice", "mean_iu": "mean IU", "pixel_accuracy": "pixel accuracy"},
    }
    return labels | {name: name.replace("_", " ") for name in board.kind.scores if name not in labels}


def leak(board: Board) -> str:
    """What the split's parts share that they should not; blank where they share nothing."""
    if not board.shared:
        return ""
    count = board.images["group"].nunique()
    return (
        f"LEAKS: {len(board.shared)} of the {count} groups (patients, slides) of scored images have images in other "
        "parts of the split too. Systems may know them, so the scores do not tell of new patients"
    )


def _held(board: Board) -> str:
    """What the images hold: nuclei or points, or images of each class and their patients."""
    if not board.kind.classes:
        what = "points" if board.kind.name == "points" else "nuclei"
        return f"{int(board.images['n_true'].sum())} {what}"
    of = board.images["label"].value_counts()
    told = ", ".join(f"{of.get(name, 0)} {name}" for name in board.kind.classes)
    return f"{told}, {board.images['group'].nunique()} patients"


def _of_objects(board: Board) -> list[tuple[str, str]]:
    return [
        ("Scores", f"{MACRO}. {POOLED}"),
        *_further(board),
        ("IoU thresholds", _thresholds(board)),
        ("Empty images", EMPTY_IMAGE_POLICY),
        ("Missing predictions", MISSING_PREDICTION_POLICY),
        ("Tuning", TUNING),
    ]


def _further(board: Board) -> Iterator[tuple[str, str]]:
    """Rules of the scores that the leaderboard has beside the usual ones."""
    known, labels = board.kind.known(board.config["metrics"]), score_labels(board)
    if board.config["scores"]:
        rules = (f"{labels[name]}: {known[name].rule}" for name in board.config["scores"])
        yield "Further scores", "; ".join(rules)


def _of_points(board: Board) -> list[tuple[str, str]]:
    microns, pixels = (board.config["metrics"]["point_radius"][unit] for unit in ("microns", "pixels"))
    radii = board.images["point_radius"]
    here = " to ".join(dict.fromkeys(f"{radius:.1f}" for radius in (radii.min(), radii.max()))) + " px"
    return [
        ("Scores", f"{MACRO}; count error: |predicted - true points|, the lower the better. {POOLED}"),
        ("Matches", f"{POINT_RULE} {microns} microns, or {pixels} px where no size of a pixel is known: {here} here"),
        ("Empty images", point_scores.EMPTY_IMAGE_POLICY),
        ("Missing predictions", point_scores.MISSING_PREDICTION_POLICY),
        ("Tuning", TUNING),
    ]


def _of_classes(board: Board) -> list[tuple[str, str]]:
    names = board.kind.classes
    positive = f"{names[1]} against {names[0]}" if len(names) == 2 else "mean over the classes, each against the others"
    return [
        ("Scores", CLASS_SCORES),
        ("Predicted class", f"the most probable one, the first of equals in the order {', '.join(names)}"),
        ("ROC AUC", f"{positive}; a tie counts one half; averaged over seeds, not of averaged probabilities"),
        ("Missing predictions", MISSING_CLASS_POLICY),
        ("Tuning", TUNING_OF_CLASSES),
    ]


def _data(board: Board) -> str:
    about = board.config["dataset_facts"]
    size = f"{about['mpp']} microns per pixel" if about.get("mpp") else "pixel size unknown"
    source = f"{about.get('citation', 'source not stated')}. Licence: {about.get('licence', 'not stated')}"
    return f"{title(board).split(': ', 1)[1]}; {size}. {source}"


def _starts(board: Board) -> str:
    """What each training started from; blank where all, if any, started from scratch."""
    trained = {row["experiment"]: row["initial"] for row in board.config["rows"] if row["run"]}
    if set(trained.values()) <= {"scratch"}:
        return ""
    return "; ".join(f"{experiment}: {initial}" for experiment, initial in trained.items())


def _runtimes(board: Board) -> str:
    """Which networks another runtime than torch has run; blank where none."""
    given = {row["experiment"]: row["runtime"] for row in board.config["rows"] if "runtime" in row}
    return "; ".join(f"{name}: {runtime['name']} {runtime['precision']}" for name, runtime in given.items())


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
    told = f"by {score_labels(board)[board.kind.main]}, fakes left out; other scores in the summary CSV"
    if few := _too_few(board):
        return f"{told}. No intervals, and no word on who differs, since {few}"
    return (
        f"{told}. Intervals of ranks and of differences to the best come from the same draws for every experiment "
        "(paired); an experiment whose difference's interval holds 0 cannot be told from the best. Each interval is at "
        "95% on its own, not adjusted for their number"
    )


def _too_few(board: Board) -> str:
    """Why there are no intervals; blank where there are."""
    _, count = statistics.units(board.images["group"].tolist())
    if count >= statistics.FEWEST_UNITS:
        return ""
    return f"{_drawn(board)} are too few (at least {statistics.FEWEST_UNITS})"


def _drawn(board: Board) -> str:
    kind, count = statistics.units(board.images["group"].tolist())
    return f"{count} groups of images" if kind == "groups" else f"{count} images"
