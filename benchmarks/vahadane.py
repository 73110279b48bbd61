"""Vahadane normalisation, fit and transform of one RGB tile, against staintools with spams; and the objectives reached.

PYTHONPATH=scripts python benchmarks/vahadane.py [--images FILE ...]

The tiles are cut from a mosaic of the given H&E images, or of a synthetic one; every peer is given the tile as uint8
(H, W, 3) and the reference's stains, which are fitted beforehand on the tile turned upside down and darkened.
staintools runs as it is shipped: it lets spams learn for one second whatever the size of the tile, so its stains depend
on the machine's load.

The second table compares what is minimised. All peers factorise the same densities, those of the tissue of a whole
image by the definition of karyobench.stain (Io = 240, +1, beta), at the same lambda; the objective of every stain
matrix is computed by karyobench with the best concentrations for it. spams is also given five seconds. "ms" there is
the time of the stain matrix alone.
"""

import copy
import tempfile
from pathlib import Path

import harness
import macenko
import numpy as np

STAINTOOLS = harness.Environment(
    "staintools",
    (
        ("numpy==2.4.6", "scipy==1.17.1", "matplotlib==3.11.2", "spams-bin==2.6.14"),
        ("--no-deps", "opencv-python-headless==5.0.0.93", "staintools==2.1.2"),
    ),
)
SPAMS = ("spams-bin",)
PEERS = [
    harness.Peer("karyobench", "karyobench", packages=("numba", "numpy")),
    harness.Peer("staintools", "staintools", STAINTOOLS, ("staintools", *SPAMS)),
]
MATRICES = [
    harness.Peer("karyobench", "karyobench_matrix", packages=("numba", "numpy")),
    harness.Peer("spams, 1 s", "spams_second", STAINTOOLS, SPAMS),
    harness.Peer("spams, 5 s", "spams_five", STAINTOOLS, SPAMS),
]
BETA, SPARSITY = 0.15, 0.1
# Per pixel: to count colours it is read twice, its lower bits written and read twice; then it is read and rebuilt.
BYTES = 2 * 3 + 2 + 2 * 2 + 2 * 3


def karyobench(tile: str):
    """This project."""
    from karyobench.stain import vahadane

    image = np.load(tile)
    reference = vahadane.fit(_target(image), BETA, SPARSITY)
    return lambda: vahadane.transform(image, vahadane.fit(image, BETA, SPARSITY), reference)


def staintools(tile: str):
    """The package staintools with spams, as shipped."""
    from staintools import StainNormalizer

    image, normalizer = np.load(tile), StainNormalizer("vahadane")
    normalizer.fit(_target(image))
    return lambda: normalizer.transform(image)


def karyobench_matrix(tile: str):
    """This project's stain matrix."""
    from karyobench.stain import vahadane

    image = np.load(tile)
    return lambda: vahadane.fit(image, BETA, SPARSITY).matrix


def spams_second(tile: str):
    """The package spams as staintools calls it."""
    return _spams(tile)


def spams_five(tile: str):
    """The package spams with five seconds."""
    return _spams(tile, iter=-5)


def _spams(tile: str, **budget: int):
    import spams

    densities = np.asfortranarray(tissue(np.load(tile)))
    options = {"K": 2, "lambda1": SPARSITY, "mode": 2, "modeD": 0, "posAlpha": True, "posD": True, "verbose": False}

    def learn() -> np.ndarray:
        learned = spams.trainDL(densities, **options, **budget)
        return learned / np.linalg.norm(learned, axis=0)

    return learn


def tissue(image: np.ndarray) -> np.ndarray:
    """float64 (3, n): the optical densities of an image's tissue."""
    optical = -np.log((image.reshape(-1, 3).T.astype(np.float64) + 1) / 240)
    return optical[:, (optical >= BETA).all(axis=0)]


def _target(image: np.ndarray) -> np.ndarray:
    return (image[::-1] * 0.9).astype(np.uint8)


def objectives(rows: list[harness.Row], tiles: dict[str, str]) -> str:
    """Markdown table of the objectives and stain matrices."""
    from karyobench.stain import snmf

    lines = ["| image | peer | objective | above karyobench | ms | repeats |", "|---|---|---|---|---|---|"]
    for name, path in tiles.items():
        densities = np.ascontiguousarray(tissue(np.load(path)))
        weights = np.ones(densities.shape[1])
        factors = snmf.factorise(densities, weights, SPARSITY)
        for row in (row for row in rows if row.input == name):
            value = snmf.objective(densities, weights, row.result, SPARSITY)
            peer = f"{row.peer}, {len(factors.objectives)} passes" if row.peer == "karyobench" else row.peer
            cells = [name, peer, f"{value:.9f}", f"{value - factors.objectives[-1]:+.1e}", f"{1e3 * row.seconds:.1f}"]
            lines.append(f"| {' | '.join([*cells, 'yes' if row.repeatable else 'no'])} |")
    return "\n".join(lines)


def floor(rows: list[harness.Row]) -> str:
    """How far this project is from what moving its bytes to and from memory would take."""
    speed, lines = harness.copy_speed(), []
    for row in (row for row in rows if row.peer == "karyobench"):
        least = BYTES * row.result.size / 3 / speed
        lines.append(
            f"{row.input}: {BYTES} bytes per pixel at {speed / 1e9:.1f} GB/s take {1e3 * least:.2f} ms; "
            f"karyobench takes {row.seconds / least:.1f} times as long."
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print the tables."""
    parser = harness.parser(__doc__)
    parser.add_argument("--images", nargs="+", type=Path, default=[], help="H&E images; default: a synthetic one")
    parser.add_argument("--sides", nargs="+", type=int, default=[1000, 2000], help="sides of the tiles in pixels")
    args = parser.parse_args()
    images = {path.stem: _read(path) for path in args.images} or {"synthetic": macenko.synthetic()}
    tiles = {f"{side} x {side}": macenko.mosaic(list(images.values()), side) for side in args.sides}
    with tempfile.TemporaryDirectory() as folder:
        saved = {name: str(Path(folder) / f"{name}.npy") for name in (*tiles, *images)}
        for name, array in (tiles | images).items():
            np.save(saved[name], array)
        rows = harness.run(__file__, PEERS, {name: saved[name] for name in tiles}, args)
        once = copy.copy(args)
        once.rounds, once.only = 1, None
        whole = {name: saved[name] for name in images}
        matrices = objectives(harness.run(__file__, MATRICES, whole, once), whole)
    print(harness.machine(rows), harness.table(rows, "karyobench"), floor(rows), matrices, sep="\n\n")


def _read(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


if __name__ == "__main__":
    main()
