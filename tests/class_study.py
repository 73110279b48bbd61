"""A study of classes: small pictures of two classes and four patients, on which every score is known in closed form.

Images of class malignant are darker. A patient has the images `IMAGES` at two magnifications each, named as those of
BreakHis are; splits are drawn by image, so that patients are in every part, and by patient.
"""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

import smoke

PATIENTS = {"B_A-14-1": 3, "B_F-14-2": 1, "B_A-14-5": 2, "B_F-14-7": 2}
PATIENTS |= {"M_DC-14-3": 4, "M_LC-14-4": 2, "M_MC-14-6": 2, "M_DC-14-8": 1}
"""Images of each patient at each of two magnifications."""
MAGNIFICATIONS = (40, 100)
FAKE, BENIGN, MALIGNANT, DARK = "oracle_class-tiny", "benign-tiny", "malignant-tiny", "dark-tiny"
SIDE = 24

DARK_SYSTEM = '''"""The darker, the likelier malignant: a system from outside the library."""

import numpy as np

TASK = "Dummy: brightness"
OUTPUT = "classes"
TRAINED = False
KEYS = {"predict": ("tile",)}


def predict(network, tile, config):
    if tile.image_id.endswith("-100-001"):
        return None
    malignant = 1 - tile.image.mean() / 255
    return np.array([1 - malignant, malignant], np.float32)
'''


def write(workdir: Path) -> None:
    """Write the images, the system and the configuration of the study into a copy of the workflow."""
    folder = workdir / "tiny"
    folder.mkdir()
    for seed, (image, label) in enumerate(images().items()):
        rng = np.random.default_rng(seed)
        level = rng.integers(20, 170) if label == "malignant" else rng.integers(90, 240)
        pixels = np.clip(level + rng.integers(-9, 10, (SIDE, SIDE + 8, 3)), 0, 255).astype(np.uint8)
        (folder / f"{image}.png").write_bytes(imagecodecs.png_encode(pixels))
    (workdir / "dark.py").write_text(DARK_SYSTEM, encoding="utf-8")
    smoke.write_config(workdir, config())


def images() -> dict[str, str]:
    """Class of each image."""
    return {
        f"SOB_{patient}-{magnification}-{number:03}": "benign" if patient.startswith("B") else "malignant"
        for patient, count in PATIENTS.items()
        for magnification in MAGNIFICATIONS
        for number in range(1, count + 1)
    }


def config() -> dict[str, Any]:
    """Dataset, systems, experiments and the two leaderboards."""
    systems = {
        "oracle_class": {"module": "oracle_class", "predict": {"tile": 16}},
        "benign": {"module": "one_class", "predict": {"tile": None, "class": "benign"}},
        "malignant": {"module": "one_class", "predict": {"tile": None, "class": "malignant"}},
        "dark": {"module": "dark.py", "predict": {"tile": 16}},
    }
    experiments = {f"{name}-tiny": {"system": name, "stain": "none"} for name in systems}
    boards = {"tiny": "tiny", "tiny_patient": "tiny@patient"}
    return {
        "study": "tiny",
        "datasets": {"tiny": _dataset()},
        "systems": systems,
        "experiments": experiments,
        "leaderboards": {name: {"dataset": d, "experiments": [*experiments]} for name, d in boards.items()},
        "studies": {"tiny": [*boards]},
    }


def _dataset() -> dict[str, Any]:
    return {
        "source": {"local": "tiny"},
        "reader": "breakhis",
        "image_type": "he",
        "objects": "classes",
        "classes": ["benign", "malignant"],
        "truth": "synthetic",
        "split": {"kind": "stratified", "by": "label", "group": "image", "test": 0.5, "val": 0.1, "seed": 0},
        "splits": {"patient": {"kind": "stratified", "by": "label", "test": 0.5, "val": 0.1, "seed": 0}},
        "licence": "CC0-1.0",
        "citation": "Grey pictures made by tests/class_study.py",
    }
