"""BreakHis: everything is in the file name, wherever it lies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.datasets import readers
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_tar, write_zip

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
FOLDERS = "BreaKHis_v1/histology_slides/breast"
MEMBERS = {
    f"{FOLDERS}/benign/SOB/adenosis/SOB_B_A_14-22549AB/40X/SOB_B_A-14-22549AB-40-001.png": 0,
    f"{FOLDERS}/malignant/SOB/ductal_carcinoma/SOB_M_DC_14-13412/100X/SOB_M_DC-14-13412-100-002.png": 1,
    f"{FOLDERS}/malignant/SOB/lobular_carcinoma/SOB_M_LC_14-13412/200X/SOB_M_LC-14-13412-200-003.png": 2,
    f"{FOLDERS}/benign/SOB/phyllodes_tumor/SOB_B_PT_14-22704/400X/SOB_B_PT-14-22704-400-028.png": 3,
}


def members() -> dict[str, bytes]:
    return {name: encoded(IMAGE + np.uint8(k), ".png") for name, k in MEMBERS.items()} | {"README.txt": b"text"}


def make(raw: Path) -> dict[str, Any]:
    """The official archive with four images."""
    write_tar(raw / "BreaKHis_v1.tar.gz", members())
    return {}


def test_attributes_come_from_the_name(tmp_path: Path) -> None:
    fields = read("breakhis", tmp_path, **make(tmp_path))
    assert set(fields) == {name.split("/")[-1][:-4] for name in MEMBERS}
    adenosis = fields["SOB_B_A-14-22549AB-40-001"]
    assert np.array_equal(adenosis.image, IMAGE)
    assert adenosis.instances is None
    told = {key: value for key, value in adenosis.attributes.items() if key != "source_file"}
    assert told == {
        "label": "benign",
        "subtype": "adenosis",
        "magnification": 40,
        "patient": "14-22549AB",
        "group": "14-22549AB",
        "case": "14-22549",
    }
    tumour = fields["SOB_B_PT-14-22704-400-028"].attributes
    assert (tumour["subtype"], tumour["magnification"]) == ("phyllodes tumour", 400)


def test_a_slide_filed_under_two_subtypes_is_one_patient(tmp_path: Path) -> None:
    fields = read("breakhis", tmp_path, **make(tmp_path))
    ductal, lobular = fields["SOB_M_DC-14-13412-100-002"], fields["SOB_M_LC-14-13412-200-003"]
    assert ductal.attributes["group"] == lobular.attributes["group"] == "14-13412"
    assert (ductal.attributes["subtype"], lobular.attributes["subtype"]) == ("ductal carcinoma", "lobular carcinoma")
    assert ductal.attributes["label"] == lobular.attributes["label"] == "malignant"


def test_loose_files_zip_and_tar_read_alike(tmp_path: Path) -> None:
    for kind in ("tar", "zip", "loose"):
        (tmp_path / kind).mkdir()
    make(tmp_path / "tar")
    write_zip(tmp_path / "zip/any.zip", {name.split("/")[-1]: data for name, data in members().items()})
    for name, data in members().items():
        (tmp_path / "loose" / name.split("/")[-1]).write_bytes(data)
    tar, packed, loose = (read("breakhis", tmp_path / kind) for kind in ("tar", "zip", "loose"))
    assert set(tar) == set(packed) == set(loose)
    assert all(np.array_equal(tar[name].image, loose[name].image) for name in tar)


@pytest.mark.parametrize(
    "name",
    [
        "SOB_B_DC-14-22549AB-40-001",  # a malignant subtype, said to be benign
        "SOB_M_XX-14-22549AB-40-001",
        "SOB_B_AX-14-22549AB-40-001",
        "SOB_B_A-14-22549AB-50-001",
        "SOB_B_A-14-40-001",
        "thumbnail",
    ],
)
def test_a_name_of_another_form_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.png").write_bytes(encoded(IMAGE, ".png"))
    with pytest.raises(KaryobenchError, match=rf"{name}\.png: '{name}' is not of the form SOB_"):
        read("breakhis", tmp_path)


def test_images_are_read_one_by_one(tmp_path: Path) -> None:
    """7,909 images of 1 MB do not fit into memory: the second, damaged one is met only after the first was given."""
    write_zip(tmp_path / "a.zip", {"SOB_B_A-14-1-40-001.png": encoded(IMAGE, ".png"), "SOB_B_A-14-1-40-002.png": b"-"})
    fields = readers.find("breakhis")(tmp_path, {"dataset": "d", "files": {"a.zip": {}}}, {})
    assert next(fields).id == "SOB_B_A-14-1-40-001"
    with pytest.raises(KaryobenchError, match=r"a\.zip: member 'SOB_B_A-14-1-40-002\.png': damaged"):
        next(fields)
