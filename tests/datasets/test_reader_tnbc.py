"""TNBC: folders are patients; the truth is a mask or a label map."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

IMAGE = encoded(np.random.default_rng(0).integers(0, 256, (12, 14, 3), np.uint8), ".png")
TOP = "TNBC_NucleiSegmentation"


def truth(values: tuple[int, int, int]) -> np.ndarray:
    """Three nuclei; the first two touch at a corner."""
    found = np.zeros((12, 14), np.uint8)
    found[1:4, 1:4], found[4:6, 4:8], found[8:10, 9:13] = values
    return found


def write(raw: Path, truths: dict[str, np.ndarray], top: str = f"{TOP}/") -> None:
    """An archive with the truth of images keyed <patient>/<name>."""
    rng = np.random.default_rng(0)
    members = {f"{top}Slide_{key}.png": encoded(rng.integers(0, 256, (12, 14, 3), np.uint8), ".png") for key in truths}
    members |= {f"{top}GT_{key}.png": encoded(mask, ".png") for key, mask in truths.items()}
    write_zip(raw / f"{TOP}.zip", members | {f"__MACOSX/{top}Slide_01/._01_1.png": b"litter", f"{top}.DS_Store": b""})


def make(raw: Path) -> dict[str, Any]:
    """The official archive with three images of two patients."""
    write(raw, {key: truth((255, 255, 255)) for key in ("01/01_1", "01/01_2", "02/02_1")})
    return {"image_type": "he"}


def test_folders_are_patients(tmp_path: Path) -> None:
    make(tmp_path)
    fields = read("tnbc", tmp_path)
    assert list(fields) == ["01_1", "01_2", "02_1"]
    assert [field.attributes["group"] for field in fields.values()] == ["patient-01", "patient-01", "patient-02"]
    assert fields["02_1"].attributes["patient"] == "02"


@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_is_cut_into_8_connected_nuclei(value: int, tmp_path: Path) -> None:
    write(tmp_path, {"01/01_1": truth((value, value, value))}, top="")
    assert np.array_equal(read("tnbc", tmp_path)["01_1"].instances, truth((1, 1, 2)))


def test_a_label_map_stays_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, {"12/12_1": truth((7, 2, 2))})
    assert np.array_equal(read("tnbc", tmp_path)["12_1"].instances, truth((7, 2, 2)))


def test_an_image_without_nuclei(tmp_path: Path) -> None:
    write(tmp_path, {"01/01_1": truth((0, 0, 0))})
    assert not read("tnbc", tmp_path)["01_1"].instances.any()


@pytest.mark.parametrize(
    ("member", "told"),
    [("Slide_03/03_1.png", "image '03/03_1' has no truth"), ("GT_03/03_1.png", "has no image '03/03_1'")],
)
def test_an_image_and_its_truth_go_together(member: str, told: str, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {member: IMAGE})
    with pytest.raises(KaryobenchError, match=told):
        read("tnbc", tmp_path)
