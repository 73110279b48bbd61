"""Which public implementation of a metric follows which rule: their values on four small pairs of label maps.

PYTHONPATH=scripts python benchmarks/metric_rules.py

A and B are the worked examples of docs/metrics.md: three objects against four, and two touching objects against one
that covers both. C is a synthetic pair of 200 x 200 pixels (seeded), D two empty maps. The table gives the peer's value
of each metric, and in brackets karyobench's of the name in the second column where it differs by more than 1e-4.
"""

import tempfile
from pathlib import Path

import harness
import numpy as np

from metrics import MONAI, STARDIST, nuclei

CELLPOSE = harness.Environment(
    "cellpose",
    (
        ("numpy==2.4.6", "scipy==1.17.1", "torch==2.13.0", "numba==0.68.1", "opencv-python-headless==5.0.0.93"),
        ("fastremap==1.21.0", "fill-voids==2.1.2", "natsort==8.4.0", "roifile==2026.2.10", "tqdm==4.70.1"),
        ("--no-deps", "cellpose==4.2.1.1"),
    ),
)
LEARN = harness.Environment("scikit-learn", (("numpy==2.4.6", "scikit-learn==1.9.1"),))
PEERS = [
    harness.Peer("karyobench", "karyobench", packages=("numpy",)),
    harness.Peer("StarDist", "stardist", STARDIST, ("stardist",)),
    harness.Peer("cellpose", "cellpose", CELLPOSE, ("cellpose",)),
    harness.Peer("MONAI", "monai", MONAI, ("monai",)),
    harness.Peer("scikit-learn", "scikit_learn", LEARN, ("scikit-learn",)),
    harness.Peer("scikit-image", "scikit_image", packages=("scikit-image",)),
]
THRESHOLDS = [k / 20 for k in range(10, 20)]
METRICS = {"iou_thresholds": THRESHOLDS, "f1_threshold": 0.5}
RULES = {
    "StarDist": (
        ("f1_at_least", "`matching(...).f1`", "IoU >= 0.5, assigned"),
        ("ap_at_least", "mean of `matching(...).accuracy`", "IoU >= t, assigned"),
        ("pq_at_least", "`matching(...).panoptic_quality`", "IoU >= 0.5"),
        ("sq_at_least", "`matching(...).mean_matched_score`", "IoU >= 0.5"),
    ),
    "cellpose": (
        (
            "ap_at_least",
            "mean of `average_precision`",
            "IoU >= t, assigned; distinct values less one are the objects, background or not",
        ),
        ("aji", "`aggregated_jaccard_index`", "one-to-one; the union is of the foregrounds, each pixel once"),
    ),
    "MONAI": (
        ("pq", "`compute_panoptic_quality`", "IoU > 0.5; TP + 1e-6 in the denominator"),
        ("sq", "the same, `metric_name='sq'`", "IoU > 0.5; TP + 1e-6 in the denominator"),
        ("foreground_hausdorff", "`compute_hausdorff_distance`", "between boundaries"),
        ("foreground_hd95", "the same, `percentile=95`", "greater of the two sides' percentiles"),
    ),
    "scikit-learn": (
        ("ari", "`adjusted_rand_score`", "all pixels, background one cluster"),
        ("rand", "`rand_score`", "all pixels, background one cluster"),
    ),
    "scikit-image": (
        ("ari_truth", "1 - `adapted_rand_error`[0]", "not an ARI: pair F-score over the truth's foreground"),
        ("foreground_hausdorff", "`hausdorff_distance`", "between all pixels of the masks, not their boundaries"),
    ),
}


def karyobench(maps: str):
    """All scores by the project, in the order of `RULES`."""
    from karyobench.metrics.boundary import count_boundaries
    from karyobench.metrics.counts import count_image
    from karyobench.metrics.formulas import segmentation_quality
    from karyobench.metrics.scores import all_scores

    truth, predicted = _load(maps)
    counts = count_image(truth, predicted, THRESHOLDS) | count_boundaries(truth, predicted)
    scores = all_scores(counts, METRICS)
    scores["sq_at_least"] = segmentation_quality({n: np.atleast_1d(c) for n, c in counts.items()}, at_least=True)[0]
    return lambda: np.array([scores[name] for rules in RULES.values() for name, _, _ in rules])


def stardist(maps: str):
    """StarDist's matching."""
    from stardist.matching import matching

    found = matching(*_load(maps), thresh=THRESHOLDS)
    half = found[0]
    values = [half.f1, np.mean([f.accuracy for f in found]), half.panoptic_quality, half.mean_matched_score]
    return lambda: np.array(values)


def cellpose(maps: str):
    """Cellpose's average precision and aggregated Jaccard index."""
    from cellpose.metrics import aggregated_jaccard_index, average_precision

    truth, predicted = _load(maps)
    precision = average_precision(truth, predicted, threshold=THRESHOLDS)[0].mean()
    return lambda: np.array([precision, aggregated_jaccard_index([truth], [predicted])[0]], float)


def monai(maps: str):
    """MONAI's panoptic quality of instances, and Hausdorff distances of foregrounds."""
    import torch
    from monai.metrics import compute_hausdorff_distance, compute_panoptic_quality

    truth, predicted = (torch.from_numpy(labels.astype(np.int64)) for labels in _load(maps))
    masks = (predicted > 0)[None, None], (truth > 0)[None, None]
    values = [compute_panoptic_quality(predicted, truth, metric_name=name) for name in ("pq", "sq")]
    values += [compute_hausdorff_distance(*masks, include_background=True, percentile=p) for p in (None, 95)]
    return lambda: np.array([float(value) for value in values])


def scikit_learn(maps: str):
    """scikit-learn's clusterings."""
    from sklearn.metrics import adjusted_rand_score, rand_score

    truth, predicted = (labels.ravel() for labels in _load(maps))
    return lambda: np.array([adjusted_rand_score(truth, predicted), rand_score(truth, predicted)])


def scikit_image(maps: str):
    """scikit-image's adapted Rand error and Hausdorff distance."""
    from skimage.metrics import adapted_rand_error, hausdorff_distance

    truth, predicted = _load(maps)
    values = [1 - adapted_rand_error(truth, predicted)[0], hausdorff_distance(truth > 0, predicted > 0)]
    return lambda: np.array(values)


def examples() -> dict[str, np.ndarray]:
    """Truth and prediction of each example: int32 (2, H, W)."""
    a, b = np.zeros((2, 10, 10), np.int32), np.zeros((2, 4, 8), np.int32)
    a[0, 0:4, 0:4], a[0, 0:4, 5:9], a[0, 6:10, 0:5] = 1, 2, 3
    a[1, 0:4, 0:3], a[1, 1:5, 5:9], a[1, 6:10, 3:8], a[1, 9, 9] = 1, 2, 3, 4
    b[0, :, :4], b[0, :, 4:], b[1] = 1, 2, 1
    c = nuclei(200, 49)
    # Peers want labels without gaps.
    c = np.stack([np.unique(labels, return_inverse=True)[1] for labels in c]).astype(np.int32)
    return {"A": a, "B": b, "C": c, "D": np.zeros_like(b)}


def _load(maps: str) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = np.load(maps)
    return truth, predicted


def _cell(theirs: float, ours: float) -> str:
    return f"{theirs:.6f}" if abs(theirs - ours) <= 1e-4 else f"**{theirs:.6f}** ({ours:.6f})"


def main() -> None:
    """Print the table."""
    args = harness.parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inputs = {name: f"{folder}/{name}.npy" for name in "ABCD"}
        for name, maps in examples().items():
            np.save(Path(inputs[name]), maps)
        rows = harness.run(__file__, PEERS, inputs, args)
    values = {(row.peer, row.input): row.result for row in rows}
    ours = {example: iter(values["karyobench", example]) for example in inputs}
    print("| implementation | our name | its rule | A | B | C | D |\n| --- | --- | --- | --- | --- | --- | --- |")
    for peer, rules in RULES.items():
        for at, (name, call, rule) in enumerate(rules):
            cells = [_cell(values[peer, example][at], next(ours[example])) for example in inputs]
            print(f"| {peer}, {call} | `{name}` | {rule} | {' | '.join(cells)} |")
    print(f"\n{harness.machine(rows)}")


if __name__ == "__main__":
    main()
