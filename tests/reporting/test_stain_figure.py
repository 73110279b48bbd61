"""The figure of a stain: what stands in the SVG, that it parses, and that equal inputs give equal bytes."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from karyobench.datasets import store
from karyobench.reporting import stain_figure
from karyobench.stain import density
from karyobench.stain.figure import Example, Look

ROOT = Path(__file__).resolve().parents[2]
VECTORS = np.array([[0.65, 0.07], [0.70, 0.99], [0.29, 0.11]])
CONFIG = {"name": "lab-macenko", "dataset": "lab<1>", "stain": {"method": "macenko", "beta": 0.15, "alpha": 1}}
CONFIG["stain"]["reference"] = {"dataset": "lab", "choose": "median"}


def example(image_id: str = "first", note: str = "normalised", vectors: np.ndarray | None = VECTORS) -> Example:
    image = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    look = Look(image, density.GREY_DENSITY[image.reshape(-1, 3)[:300]], vectors)
    return Example(image_id, "$liver$", note, look, look)


def test_figure_names_images_stains_and_reasons():
    long = "x" * 80
    svg = stain_figure.draw([example(), example(long, "passed unchanged: blank & pale", None)], VECTORS, "lab")
    text = [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"lab", "first, $liver$", "hematoxylin", "eosin", "reference", "before: no stains"} <= set(text)
    assert f"{long[:43]}…, $liver$, passed unchanged: blank & pale" in text


def test_photographs_are_jpeg_and_transparent_pictures_png():
    svg = stain_figure.draw([example()], VECTORS, "lab")
    kinds = re.findall(r'href="data:image/(\w+);base64,[A-Za-z0-9+/=]+"', svg)
    assert sorted(kinds) == ["jpeg", "jpeg", "png"]


def test_patches_have_the_stains_colours():
    svg = stain_figure.draw([example()], None, "lab")
    for stain in VECTORS.T:
        light = np.rint(240 * np.exp(-stain)).astype(int)
        assert "#{:02x}{:02x}{:02x}".format(*light) in svg


def test_no_h_and_e_image_is_said():
    assert "lab: no image of H&amp;E" in stain_figure.draw([], VECTORS, "lab")


@pytest.fixture
def files(tmp_path):
    """Paths of a small dataset before and after."""
    rng = np.random.default_rng(1)
    amounts = rng.uniform(0, 1.2, (64 * 64, 2))
    image = np.rint(240 * np.exp(-amounts @ VECTORS.T) - 1).clip(0, 255).astype(np.uint8).reshape(64, 64, 3)
    for name, about in (("before", {}), ("after", {"stain_matrix": VECTORS})):
        attributes = {"image_type": "he", "stain_note": "normalised"}
        with store.writing(tmp_path / f"{name}.h5", about) as writer:
            writer.add(store.Field("a", image, None, attributes))
    return tmp_path / "before.h5", tmp_path / "after.h5"


def test_step_writes_the_bytes_that_the_library_writes(files, tmp_path):
    stain_figure.write(*files, tmp_path / "library.svg", CONFIG)
    command = [sys.executable, ROOT / "scripts" / "stain_figure.py", "--config", json.dumps(CONFIG)]
    command += ["--before", files[0], "--after", files[1], "--output", tmp_path / "new" / "step.svg"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new" / "step.svg").read_bytes() == (tmp_path / "library.svg").read_bytes()
    assert "lab-macenko on lab&lt;1&gt;" in (tmp_path / "library.svg").read_text()
