"""Synthetic H&E with known stains, and a real field."""

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

STAINS = np.array([[0.65, 0.70, 0.29], [0.27, 0.90, 0.34]])
OTHER_STAINS = np.array([[0.75, 0.60, 0.28], [0.33, 0.80, 0.50]])


def _painted(stains: np.ndarray, strength: float = 1.0, side: int = 120, seed: int = 0) -> np.ndarray:
    """An image in equal parts of hematoxylin, eosin and their mixtures, with a white band on top."""
    rng = np.random.default_rng(seed)
    share = rng.choice([0.0, 1.0, 0.5], size=side * side)
    share = np.where(share == 0.5, rng.random(side * side), share)
    amount = strength * rng.uniform(0.8, 1.5, side * side)
    unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    density = (amount * share)[:, None] * unit[0] + (amount * (1 - share))[:, None] * unit[1]
    image = np.rint(240 * np.exp(-density) - 1).clip(0, 255).astype(np.uint8).reshape(side, side, 3)
    image[: side // 10] = 245
    return image


@pytest.fixture
def painted():
    """Function (stains, strength, side, seed) -> uint8 image."""
    return _painted


@pytest.fixture
def stains() -> np.ndarray:
    """Hematoxylin and eosin in rows, not normalised."""
    return STAINS


@pytest.fixture
def other_stains() -> np.ndarray:
    """The same stains of another laboratory."""
    return OTHER_STAINS


@pytest.fixture(scope="session")
def real_images(mirror: Path) -> list[np.ndarray]:
    """Real H&E of many laboratories: MoNuSeg and CPM-15 fields, stained tissue of DSB2018; sizes 256 to 1388."""
    wanted = {
        "monuseg/MoNuSeg 2018 Training Data.zip": r"\.tif$",
        "cpm15/MICCAI_competition_dataset.zip": r"image\d+\.png$",
        "dsb2018/stage1_train.zip": r"[02468ace]/images/.*\.png$",
    }
    images = []
    for archive, pattern in wanted.items():
        if (mirror / archive).is_file():
            images += [image for image in _images(mirror / archive, pattern) if _coloured(image)]
    if not images:
        pytest.skip(f"the mirror {mirror} lacks {', '.join(wanted)}")
    return images


def _images(archive: Path, pattern: str) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(archive) as members:
        for name in sorted(name for name in members.namelist() if re.search(pattern, name)):
            yield np.asarray(Image.open(BytesIO(members.read(name))).convert("RGB"))


def _coloured(image: np.ndarray) -> bool:
    """Tissue stained in colours, not grey fluorescence or bright field."""
    return np.ptp(image[::8, ::8].astype(int), axis=2).mean() > 15


@pytest.fixture(scope="session")
def real_field(mirror: Path) -> np.ndarray:
    """A real H&E field of ovarian cancer, 1500 x 1500."""
    archive = mirror / "misc" / "pypi_samples.zip"
    if not archive.is_file():
        pytest.skip(f"the mirror lacks {archive}")
    with zipfile.ZipFile(archive) as members:
        return np.asarray(Image.open(BytesIO(members.read("histolytics/hgsc_nest.jpg"))).convert("RGB"))
