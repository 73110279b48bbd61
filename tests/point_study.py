"""A study of points: small frames as MITOS-ATYPIA-14 has them, on which every score is known in closed form.

A mitosis is a dark square on pale ground, which Otsu's threshold finds whole, so that predicted points are the squares'
centres. Both scanners saw the same slides, at pixels of another size.
"""

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

import smoke

FRAMES = [f"{scanner}{slide}_00Aa" for scanner in "AH" for slide in ("03", "04", "05")]
CENTRES = [(20, 20), (20, 60), (60, 20)]
TRUE = {"03": [(20, 20), (22, 60), (60, 26.5)], "04": [(20, 20)], "05": [(20, 20), (20, 60), (60, 20), (60, 60)]}
"""Row and column of the true points of each slide; the last of 03 lies 6.5 px from its square."""
RADIUS = {"microns": 1.5, "pixels": 1}
"""6.1 px of scanner A, 6.6 px of scanner H."""
OTSU, NOTHING = "otsu-tiny", "nothing-tiny"
SIDE = 80

NOTHING_SYSTEM = '''"""No object anywhere, and no prediction for one frame: a system from outside the library."""

import numpy as np

TASK = "Dummy: nothing"
OUTPUT = "instances"
TRAINED = False
KEYS = {"predict": ("tile",), "instances": ("min_edge",)}


def predict(network, tile, config):
    return None if tile.image_id == "A03_00Aa" else np.zeros(tile.image.shape[:2], np.int32)
'''


def write(workdir: Path) -> None:
    """Write the frames, the system and the configuration of the study into a copy of the workflow."""
    for number, frame in enumerate(FRAMES):
        pixels = np.full((SIDE, SIDE, 3), (235, 215, 230 - number), np.uint8)  # no two images may be the same
        for row, column in CENTRES:
            pixels[row - 5 : row + 6, column - 5 : column + 6] = (70, 30, 120)
        slide = workdir / "tiny" / frame[:3]
        for folder in ("frames/x40", "mitosis"):
            (slide / folder).mkdir(parents=True)
        (slide / "frames/x40" / f"{frame}.tiff").write_bytes(imagecodecs.tiff_encode(pixels, photometric="rgb"))
        lines = io.StringIO()
        np.savetxt(lines, [(column, row, 1) for row, column in TRUE[frame[1:3]]], fmt="%g", delimiter=",")
        (slide / "mitosis" / f"{frame}_mitosis.csv").write_text(lines.getvalue())
    (workdir / "nothing.py").write_text(NOTHING_SYSTEM, encoding="utf-8")
    smoke.write_config(workdir, config())


def config() -> dict[str, Any]:
    """Dataset, systems, experiments and leaderboard."""
    nothing = {"module": "nothing.py", "predict": {"tile": None}, "instances": {"min_edge": 1}}
    experiments = {OTSU: {"system": "otsu", "stain": "none"}, NOTHING: {"system": "nothing", "stain": "none"}}
    return {
        "study": "tiny",
        "metrics": {"point_radius": {"mitoses": RADIUS}},
        "datasets": {"tiny": _dataset()},
        "systems": {"nothing": nothing},
        "experiments": experiments,
        "leaderboards": {"tiny": {"dataset": "tiny", "experiments": [*experiments]}},
        "studies": {"tiny": ["tiny"]},
    }


def _dataset() -> dict[str, Any]:
    return {
        "source": {"local": "tiny"},
        "reader": "mitos14",
        "image_type": "he",
        "objects": "mitoses",
        "truth": "synthetic",
        "split": {"kind": "test"},
        "licence": "CC0-1.0",
        "citation": "Squares made by tests/point_study.py",
    }
