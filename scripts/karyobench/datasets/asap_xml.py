"""Annotations of the program ASAP: outlines in groups, in pixels of a slide's first level."""

from collections import defaultdict
from xml.etree import ElementTree

import numpy as np

from karyobench.datasets import xml_trees
from karyobench.errors import KaryobenchError

_AREA = 3


def outlines(data: bytes, where: str) -> dict[str, list[np.ndarray]]:
    """Outlines of each group in the order of the file: float64 (N, 2), x (column) and y (row); not closed.

    Annotations of fewer than three points enclose nothing and are left out. where: what messages call the file.
    Raises KaryobenchError naming a file that is damaged, not of ASAP, or has a coordinate that is no number.
    """
    root = xml_trees.parse(data, where)
    if root.tag != "ASAP_Annotations":
        raise KaryobenchError(f"{where}: is <{root.tag}>, not <ASAP_Annotations>; replace the file")
    found = defaultdict(list)
    for annotation in root.iter("Annotation"):
        vertices = [_vertex(coordinate, where) for coordinate in annotation.iter("Coordinate")]
        if len(vertices) >= _AREA:
            found[annotation.get("PartOfGroup", "None")].append(np.array(vertices))
    return dict(found)


def _vertex(coordinate: ElementTree.Element, where: str) -> tuple[float, float]:
    try:
        x, y = (float(coordinate.attrib[axis]) for axis in ("X", "Y"))
    except (KeyError, ValueError):
        x = y = np.nan
    if not np.isfinite([x, y]).all():
        raise KaryobenchError(f"{where}: the coordinate {dict(coordinate.attrib)} is no point; replace the file")
    return x, y
