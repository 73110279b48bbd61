"""STARE: packed images inside three tar archives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fundus
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_tar

PACKED = ".ppm.gz"


def make(raw: Path) -> dict[str, Any]:
    """The three official archives with two images; the second observer drew one."""
    names = ("im0001", "im0324")
    photographs = {f"{name}{PACKED}": encoded(fundus.photograph(int(name[2:]), 45), PACKED) for name in names}
    write_tar(raw / "stare-images.tar", photographs)
    write_tar(
        raw / "labels-ah.tar", {f"{name}.ah{PACKED}": encoded(fundus.mask(fundus.FIRST), PACKED) for name in names}
    )
    write_tar(raw / "labels-vk.tar", {f"im0001.vk{PACKED}": encoded(fundus.mask(fundus.SECOND), PACKED)})
    return {}


def test_two_observers_and_the_field_of_view(tmp_path: Path) -> None:
    fields = read("stare", tmp_path, **make(tmp_path))
    assert list(fields) == ["im0001", "im0324"]
    for name, field in fields.items():
        assert np.array_equal(field.image, fundus.photograph(int(name[2:]), 45))
        assert np.array_equal(field.instances, fundus.FIRST)
        assert np.array_equal(field.layers["ignore"], ~fundus.VIEW)
        assert field.attributes["field_of_view"] == "thresholded"
    assert np.array_equal(fields["im0001"].layers["second"], fundus.SECOND)
    assert "second" not in fields["im0324"].layers


def test_unpacked_files(tmp_path: Path) -> None:
    (tmp_path / "labels-ah").mkdir()
    (tmp_path / "im0002.ppm").write_bytes(encoded(fundus.photograph(2), ".ppm"))
    (tmp_path / "labels-ah/im0002.ah.ppm").write_bytes(encoded(fundus.mask(fundus.FIRST), ".ppm"))
    assert np.array_equal(read("stare", tmp_path)["im0002"].instances, fundus.FIRST)


def test_the_first_observer_is_needed(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "labels-ah.tar").unlink()
    with pytest.raises(KaryobenchError, match="image 'im0001' has no labels-ah"):
        read("stare", tmp_path)


def test_a_member_that_is_no_whole_gzip_file(tmp_path: Path) -> None:
    make(tmp_path)
    write_tar(tmp_path / "labels-vk.tar", {"im0001.vk.ppm.gz": encoded(fundus.mask(fundus.SECOND), PACKED)[:40]})
    with pytest.raises(KaryobenchError, match=r"labels-vk\.tar: member 'im0001\.vk\.ppm\.gz': no whole gzip"):
        read("stare", tmp_path)
