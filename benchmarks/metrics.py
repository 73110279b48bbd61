"""All overlap metrics of two label maps, and the Hausdorff distance of their foregrounds, against public peers.

PYTHONPATH=scripts python benchmarks/metrics.py
PYTHONPATH=scripts python benchmarks/metrics.py --slide --rounds 3     a slide's maps, block by block and whole

The maps are synthetic: seeded ellipses, and a prediction that moves, turns and scales each of them a little, draws some
twice as large, so that they merge with neighbours, splits some and lacks some. Every peer is given both as int32.
karyobench computes all counts and all scores that rest on overlaps (AJI in three variants, AJI+, F1, AP, PQ under both
tie rules, Dice, object Dice, ARI, Rand index, errors by kind, ...); StarDist its matching over ten thresholds alone;
"scikit-image's table" the same counts and scores as karyobench, but from skimage.metrics.contingency_table. MONAI's
and scipy's Hausdorff distances are between the same boundaries as karyobench's.
"""

import tempfile
from pathlib import Path

import harness
import numpy as np

STARDIST = harness.Environment(
    "stardist",
    (
        ("numpy==2.4.6", "scipy==1.17.1", "scikit-image==0.26.0", "numba==0.68.1", "tqdm==4.70.1", "csbdeep==0.8.2"),
        ("--no-deps", "stardist==0.9.2"),
    ),
)
MONAI = harness.Environment(
    "monai", (("numpy==2.4.6", "scipy==1.17.1", "torch==2.13.0"), ("--no-deps", "monai==1.6.1"))
)
OVERLAPS = [
    harness.Peer("karyobench", "karyobench", packages=("numba", "numpy")),
    harness.Peer("scikit-image's table", "scikit_image", packages=("scikit-image",)),
    harness.Peer("StarDist, matching alone", "stardist", STARDIST, ("stardist",)),
]
DISTANCES = [
    harness.Peer("karyobench", "karyobench_hausdorff"),
    harness.Peer("MONAI", "monai_hausdorff", MONAI, ("monai", "torch")),
    harness.Peer("scipy's distance transform", "scipy_hausdorff", packages=("scipy",)),
]
SLIDE = [
    harness.Peer("karyobench, blocks", "blocks", packages=("h5py", "numba")),
    harness.Peer("karyobench, whole", "whole"),
]

THRESHOLDS = [k / 20 for k in range(10, 20)]
METRICS = {"iou_thresholds": THRESHOLDS, "f1_threshold": 0.5}
BLOCK = 2048
FIELD, FIELD_NUCLEI, FIELDS = 2000, 10_000, 10


def karyobench(maps: str):
    """This project."""
    from karyobench.metrics.contingency import contingency

    truth, predicted = np.load(maps)
    return lambda: _scores(contingency(truth, predicted))


def scikit_image(maps: str):
    """The project's scores over scikit-image's table."""
    from skimage.metrics import contingency_table

    from karyobench.metrics.contingency import Contingency

    truth, predicted = np.load(maps)

    def scores() -> np.ndarray:
        table = contingency_table(truth, predicted, sparse_type="array").tocoo()
        numbered = [np.unique(np.append(0, labels), return_inverse=True) for labels in table.coords]
        (truth_labels, true), (predicted_labels, pred) = numbered
        return _scores(Contingency(true[1:], pred[1:], table.data.astype(int), truth_labels, predicted_labels))

    return scores


def stardist(maps: str):
    """StarDist's matching over the ten thresholds."""
    from stardist.matching import matching

    truth, predicted = np.load(maps)
    return lambda: np.array([found.tp for found in matching(truth, predicted, thresh=THRESHOLDS)], float)


def karyobench_hausdorff(maps: str):
    """This project; it computes the 95% distance too."""
    from karyobench.metrics.boundary import hausdorff

    truth, predicted = np.load(maps) > 0
    return lambda: np.array(hausdorff(truth, predicted)[:1])


def monai_hausdorff(maps: str):
    """MONAI's exact Hausdorff distance."""
    import torch
    from monai.metrics import compute_hausdorff_distance

    truth, predicted = (torch.from_numpy(labels > 0)[None, None] for labels in np.load(maps))
    return lambda: compute_hausdorff_distance(predicted, truth, include_background=True)[0].numpy().astype(float)


def scipy_hausdorff(maps: str):
    """Two distance transforms of scipy."""
    from scipy.ndimage import binary_erosion, distance_transform_edt

    truth, predicted = np.load(maps) > 0

    def distance() -> np.ndarray:
        a, b = (mask & ~binary_erosion(mask) for mask in (truth, predicted))
        return np.array([max(distance_transform_edt(~a)[b].max(), distance_transform_edt(~b)[a].max())])

    return distance


def blocks(slide: str):
    """The slide's scores, block by block."""
    import h5py
    import hdf5plugin  # noqa: F401

    from karyobench.metrics.contingency import contingency_of_blocks

    def scores() -> np.ndarray:
        with h5py.File(slide) as file:
            side = file["truth"].shape[0]
            boxes = (np.s_[r : r + BLOCK, c : c + BLOCK] for r in range(0, side, BLOCK) for c in range(0, side, BLOCK))
            return _scores(contingency_of_blocks((file["truth"][box], file["predicted"][box]) for box in boxes))

    return scores


def whole(slide: str):
    """The slide's scores from maps in memory."""
    import h5py
    import hdf5plugin  # noqa: F401

    from karyobench.metrics.contingency import contingency

    def scores() -> np.ndarray:
        with h5py.File(slide) as file:
            return _scores(contingency(file["truth"][()], file["predicted"][()]))

    return scores


def _scores(table) -> np.ndarray:
    """Matches at least at each of the ten thresholds, then every score that rests on overlaps."""
    from karyobench.metrics.counts import count_table
    from karyobench.metrics.definitions import overlap_scores

    counts = {name: np.atleast_1d(count) for name, count in count_table(table, THRESHOLDS).items()}
    matches = [counts[f"tp>={threshold:.2f}"] for threshold in THRESHOLDS]
    return np.concatenate([*matches, *(score.of(counts) for score in overlap_scores(METRICS).values())])


def nuclei(side: int, count: int, seed: int = 0) -> np.ndarray:
    """int32 (2, side, side): truth and prediction."""
    rng, maps = np.random.default_rng(seed), np.zeros((2, side, side), np.int32)
    per_row = int(np.ceil(np.sqrt(count)))
    step = side / per_row
    for number in range(count):
        centre = (np.array(divmod(number, per_row)) + 0.5 + rng.uniform(-0.2, 0.2, 2)) * step
        axes, angle, fate = rng.uniform(0.25, 0.45, 2) * step, rng.uniform(0, np.pi), rng.random()
        _draw(maps[0], number + 1, centre, axes, angle)
        if fate < 0.92:
            moved, scale = centre + rng.normal(0, 0.05, 2) * step, rng.uniform(0.8, 1.2)
            _draw(maps[1], number + 1, moved, axes * (scale if fate > 0.04 else 2 * scale), angle + rng.normal(0, 0.2))
            if fate > 0.88:
                _draw(maps[1], count + number + 1, moved, axes * scale / 2, angle, over=True)
    return maps


def _draw(
    labels: np.ndarray, label: int, centre: np.ndarray, axes: np.ndarray, angle: float, over: bool = False
) -> None:
    """Draw an ellipse where nothing is, or over what is there."""
    first = np.maximum(np.floor(centre - max(axes)).astype(int), 0)
    part = labels[first[0] : int(centre[0] + max(axes)) + 2, first[1] : int(centre[1] + max(axes)) + 2]
    rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
    dy, dx = rows + first[0] - centre[0], columns + first[1] - centre[1]
    along, across = dy * np.cos(angle) + dx * np.sin(angle), dx * np.cos(angle) - dy * np.sin(angle)
    part[((along / axes[0]) ** 2 + (across / axes[1]) ** 2 < 1) & (over | (part == 0))] = label


def write_slide(path: Path) -> None:
    """The same field a hundred times, each time with labels of its own: 20,000 x 20,000 pixels, a million nuclei."""
    import h5py
    import hdf5plugin

    maps, labels = nuclei(FIELD, FIELD_NUCLEI), 2 * FIELD_NUCLEI
    with h5py.File(path, "w") as file:
        for name, field in zip(("truth", "predicted"), maps, strict=True):
            shape, codec = (FIELD * FIELDS,) * 2, hdf5plugin.Zstd(clevel=3)
            slide = file.create_dataset(name, shape, np.int32, chunks=(500, 500), **codec)
            for number in range(FIELDS**2):
                row, column = (FIELD * place for place in divmod(number, FIELDS))
                slide[row : row + FIELD, column : column + FIELD] = np.where(field, field + number * labels, 0)


def agreement(row: harness.Row, rows: list[harness.Row]) -> str:
    """How the peer's values compare with karyobench's: the matches at ten thresholds, or all values."""
    own = next(r.result for r in rows if r.peer.startswith("karyobench") and r.input == row.input)
    return f"{len(row.result)} values, greatest difference {np.nanmax(np.abs(row.result - own[: len(row.result)])):.0e}"


def measured(peers: list[harness.Peer], inputs: dict[str, str], args) -> list[harness.Row]:
    """Run the peers, print their table and return their rows."""
    rows = harness.run(__file__, peers, inputs, args)
    print(harness.table(rows, peers[0].name, ("against karyobench", lambda row: agreement(row, rows))), end="\n\n")
    return rows


def main() -> None:
    """Measure and print the tables."""
    parser = harness.parser(__doc__)
    parser.add_argument("--slide", action="store_true", help="measure a slide's maps instead")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.slide:
            path = Path(folder) / "slide.h5"
            write_slide(path)
            print(harness.machine(measured(SLIDE, {"20,000 x 20,000, 1,000,000 nuclei": str(path)}, args)))
            return
        inputs = {}
        for side, count in ((1000, 600), (4096, 10_000)):
            inputs[f"{side} x {side}, {count} nuclei"] = str(Path(folder) / f"{side}.npy")
            np.save(Path(folder) / f"{side}.npy", nuclei(side, count))
        rows = [row for peers in (OVERLAPS, DISTANCES) for row in measured(peers, inputs, args)]
    print(harness.machine(rows))


if __name__ == "__main__":
    main()
