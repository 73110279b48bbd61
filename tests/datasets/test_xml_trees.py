"""XML of unknown origin, and the outlines of ASAP in it."""

import numpy as np
import pytest

from karyobench.datasets import asap_xml, xml_trees
from karyobench.errors import KaryobenchError
from slide_files import asap_xml as written
from slide_files import box

LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'


def test_a_tree_in_any_encoding() -> None:
    text = '<?xml version="1.0" encoding="{}"?><a><b c="ä"/></a>'
    for encoding in ("utf-8", "utf-16", "latin-1"):
        root = xml_trees.parse(text.format(encoding).encode(encoding), "file")
        assert (root.tag, root[0].get("c")) == ("a", "ä")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_document_types_are_refused(encoding: str) -> None:
    """They could declare entities that expand without end, or that name files."""
    with pytest.raises(KaryobenchError, match="file: declares a document type"):
        xml_trees.parse(LAUGHS.decode().encode(encoding), "file")


@pytest.mark.parametrize(
    "data", [b"", b"<a>", b"<a></b>", b"\x89PNG", b'<?xml version="1.0" encoding="no-such"?><a/>', b"<a>&b;</a>"]
)
def test_what_is_no_xml(data: bytes) -> None:
    with pytest.raises(KaryobenchError, match="file: damaged, truncated, or no XML"):
        xml_trees.parse(data, "file")


def test_outlines_by_group_in_the_order_of_the_file() -> None:
    found = asap_xml.outlines(written({"a": [box(0, 1, 2.5, 3), box(4, 4, 5, 5)], "b": [box(7, 7, 9, 9)]}), "file")
    assert sorted(found) == ["a", "b"]
    assert found["a"][0].tolist() == [[0, 1], [2.5, 1], [2.5, 3], [0, 3]]
    assert np.array_equal(found["a"][1], box(4, 4, 5, 5))


def test_dots_and_lines_enclose_nothing() -> None:
    assert asap_xml.outlines(written({"a": [[(1, 1)], [(1, 1), (2, 2)]]}), "file") == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<Annotations/>", "file: is <Annotations>, not <ASAP_Annotations>"),
        (written({"a": [box(0, 0, 1, 1)]}).replace(b'Y="0"', b""), "the coordinate .* is no point"),
        (written({"a": [box(0, 0, 1, 1)]}).replace(b'X="1"', b'X="1,0"'), "'X': '1,0'.* is no point"),
    ],
)
def test_outlines_that_do_not_fit(data: bytes, message: str) -> None:
    with pytest.raises(KaryobenchError, match=message):
        asap_xml.outlines(data, "file")
