"""Members are found by the end of their path, and tables read whatever their line ends are."""

import pytest

from karyobench.datasets import csv_tables, patterns
from karyobench.errors import KaryobenchError

IMAGE = r"images/(?P<id>\d\d)\.tif"


def test_ids_are_found_below_any_folder_and_sorted() -> None:
    names = ["top/images/02.tif", "images/01.tif", "images/01.tiff", "oldimages/03.tif", "images/1.tif"]
    assert patterns.by_id(names, IMAGE, "d") == {"01": "images/01.tif", "02": "top/images/02.tif"}


def test_two_members_of_one_id() -> None:
    with pytest.raises(KaryobenchError, match=r"dataset 'd': 'a/images/01\.tif' and 'b/images/01\.tif' are both '01'"):
        patterns.by_id(["a/images/01.tif", "b/images/01.tif"], IMAGE, "d")


def test_records() -> None:
    data = b"name, grade (all)\ra, 1\r\rb,2 \r"
    assert csv_tables.records(data, "file", ("name",)) == [
        {"name": "a", "grade (all)": "1"},
        {"name": "b", "grade (all)": "2"},
    ]


def test_numbers() -> None:
    assert csv_tables.numbers(b"1, 2.5,\r\n\r\n , ,\n-3e2", "file") == [[1, 2.5], [-300]]
    assert csv_tables.numbers(b"", "file") == []


@pytest.mark.parametrize("data", [b"1,inf", b"1,nan", b"1;2", b"0x10", b"\x00", b"\xff", b'"1'])
def test_what_is_no_number(data: bytes) -> None:
    with pytest.raises(KaryobenchError, match=r"^file: "):
        csv_tables.numbers(data, "file")
