"""Macenko normalisation, fit and transform of one RGB tile, against torchstain's backends.

PYTHONPATH=scripts python benchmarks/macenko.py [--images FILE ...]

The tiles are cut from a mosaic of the given H&E images, or of a synthetic one; every peer is given the tile as uint8
(H, W, 3) and the reference's stains, which are fitted beforehand on the tile turned upside down and darkened.
"within one" is the share of values that lie within one grey level of the definition (karyobench.stain.density and
.macenko) computed by numpy in float64. Those of torchstain that are further off lie in white, which it tints.
"""

import tempfile
from pathlib import Path

import harness
import numpy as np

TORCHSTAIN = harness.Environment("torchstain", (("numpy==2.4.6", "torch==2.13.0"), ("--no-deps", "torchstain==1.4.1")))
PEERS = [
    harness.Peer("karyobench", "karyobench", packages=("numba", "numpy")),
    harness.Peer("float64 by numpy", "definition"),
    harness.Peer("torchstain, torch", "torchstain_torch", TORCHSTAIN, ("torchstain", "torch")),
    harness.Peer("torchstain, numpy", "torchstain_numpy", TORCHSTAIN, ("torchstain",)),
]
BETA, ALPHA = 0.15, 1
PASSES_READ, PASSES_WRITTEN = 6, 1


def karyobench(tile: str):
    """This project."""
    from karyobench.stain import density, macenko

    image = np.load(tile)
    reference = macenko.fit(_target(image), BETA, ALPHA)
    return lambda: density.transform(image, macenko.fit(image, BETA, ALPHA), reference)


def definition(tile: str):
    """The definition that karyobench implements, as numpy has it in float64."""
    image = np.load(tile)
    reference = _fit(_target(image))

    def normalise() -> np.ndarray:
        matrix, maxima = _fit(image)
        optical = _optical(image)
        scaled = (reference[1] / maxima)[:, None] * (np.linalg.pinv(matrix) @ optical)
        light = np.rint(240 * np.exp(-(reference[0] @ scaled)) - 1).clip(0, 255).T.reshape(image.shape)
        blank = (image >= 239).all(axis=2, keepdims=True)
        return np.where(blank, image, light).astype(np.uint8)

    return normalise


def torchstain_torch(tile: str):
    """The torch backend of torchstain."""
    import torch
    from torchstain.torch.normalizers.macenko import TorchMacenkoNormalizer

    def tensor(image: np.ndarray):
        return torch.from_numpy(image).permute(2, 0, 1)

    image, normalizer = np.load(tile), TorchMacenkoNormalizer()
    normalizer.fit(tensor(_target(image)), alpha=ALPHA, beta=BETA)

    def normalise() -> np.ndarray:
        return normalizer.normalize(tensor(image), alpha=ALPHA, beta=BETA, stains=False)[0].numpy()

    return normalise


def torchstain_numpy(tile: str):
    """The numpy backend of torchstain."""
    from torchstain.numpy.normalizers.macenko import NumpyMacenkoNormalizer

    image, normalizer = np.load(tile), NumpyMacenkoNormalizer()
    normalizer.fit(_target(image), alpha=ALPHA, beta=BETA)
    return lambda: normalizer.normalize(image, alpha=ALPHA, beta=BETA, stains=False)[0]


def _optical(image: np.ndarray) -> np.ndarray:
    return -np.log((image.reshape(-1, 3).T.astype(np.float64) + 1) / 240)


def _fit(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    optical = _optical(image)
    tissue = optical[:, (optical >= BETA).all(axis=0)]
    normal = np.linalg.eigh(np.cov(tissue)).eigenvectors[:, 0]
    along = tissue.mean(axis=1)
    along -= (along @ normal) * normal
    along /= np.linalg.norm(along)
    across = np.cross(normal, along)
    angles = np.percentile(np.arctan2(across @ tissue, along @ tissue), [ALPHA, 100 - ALPHA])
    vectors = np.outer(along, np.cos(angles)) + np.outer(across, np.sin(angles))
    matrix = vectors[:, np.argsort(-vectors[0])]
    return matrix, np.percentile(np.linalg.pinv(matrix) @ optical, 99, axis=1)


def _target(image: np.ndarray) -> np.ndarray:
    return (image[::-1] * 0.9).astype(np.uint8)


def mosaic(images: list[np.ndarray], side: int) -> np.ndarray:
    """uint8 (side, side, 3): the images laid side by side and in rows, in turn."""
    rows, placed = [], 0
    height, width = (min(image.shape[axis] for image in images) for axis in (0, 1))
    for _ in range(-(-side // height)):
        row = [images[(placed + n) % len(images)][:height, :width] for n in range(-(-side // width))]
        placed += len(row)
        rows.append(np.hstack(row))
    return np.ascontiguousarray(np.vstack(rows)[:side, :side])


def synthetic(side: int = 1000) -> np.ndarray:
    """uint8 (side, side, 3): stroma of varied eosin with dark round nuclei, a white gap and noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    eosin = 0.5 + 0.25 * np.sin(rows / 37) * np.sin(columns / 53)
    hematoxylin = np.full((side, side), 0.1)
    for row, column, radius in zip(*rng.integers(8, side - 8, (2, 600)), rng.integers(5, 12, 600), strict=True):
        hematoxylin[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = rng.uniform(0.8, 1.5)
    amounts = np.stack([hematoxylin, eosin]) * rng.normal(1, 0.1, (2, side, side))
    amounts[:, : side // 10] = 0
    optical = np.tensordot(np.array([[0.65, 0.70, 0.29], [0.20, 0.90, 0.38]]), amounts, (0, 0))
    light = 240 * np.exp(-optical) - 1 + rng.normal(0, 2, optical.shape)
    return np.rint(light).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


def agreement(row: harness.Row, rows: list[harness.Row]) -> str:
    """Share of values within one grey level of the definition, and the greatest distance."""
    exact = next((r.result for r in rows if r.peer == "float64 by numpy" and r.input == row.input), None)
    if exact is None:
        return ""
    apart = np.abs(row.result.astype(int) - exact)
    return f"{100 * (apart <= 1).mean():.3f} %, at most {apart.max()}"


def main() -> None:
    """Measure and print the table."""
    parser = harness.parser(__doc__)
    parser.add_argument("--images", nargs="+", type=Path, help="H&E images; default: a synthetic one")
    parser.add_argument("--sides", nargs="+", type=int, default=[1000, 2000], help="sides of the tiles in pixels")
    args = parser.parse_args()
    images = [_read(path) for path in args.images] if args.images else [synthetic()]
    with tempfile.TemporaryDirectory() as folder:
        inputs = {f"{side} x {side}": str(Path(folder) / f"{side}.npy") for side in args.sides}
        for side, path in zip(args.sides, inputs.values(), strict=True):
            np.save(path, mosaic(images, side))
        rows = harness.run(__file__, PEERS, inputs, args)
    print(harness.machine(rows), end="\n\n")
    print(harness.table(rows, "karyobench", ("within one", lambda row: agreement(row, rows))), end="\n\n")
    print(floor(rows, args.sides))


def floor(rows: list[harness.Row], sides: list[int]) -> str:
    """How far this project is from what reading and writing the tile as often at memory speed would take."""
    speed, lines = harness.copy_speed(), []
    for row, side in zip((row for row in rows if row.peer == "karyobench"), sides, strict=True):
        least = 3 * side**2 * (PASSES_READ + PASSES_WRITTEN) / speed
        lines.append(
            f"{row.input}: {PASSES_READ} passes read and {PASSES_WRITTEN} written at {speed / 1e9:.1f} GB/s take "
            f"{1e3 * least:.2f} ms; karyobench takes {row.seconds / least:.1f} times as long."
        )
    return "\n".join(lines)


def _read(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


if __name__ == "__main__":
    main()
