"""MITOS-ATYPIA-14: fields of breast cancer slides, each scanned by two scanners, and the centres of mitoses.

`<slide>/frames/x40/<frame>.tiff` and `<slide>/mitosis/<frame>_mitosis.csv` with x, y and confidence per line. The
lists of what is no mitosis, the frames at other magnifications and the scores of atypia are not read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import csv_tables, images, members, patterns
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_FRAME = r"(?P<id>[AH]\d\d_\d\d[A-D][a-d])"
# Microns per pixel; the mean of both directions, which differ by 0.1 per cent, of the Hamamatsu scanner.
_SCANNERS = {"A": ("aperio", 0.2455), "H": ("hamamatsu", 0.2274)}
_XY_CONFIDENCE = 3


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per frame at 40x, sorted, with the layer `points`; without a list, as in the test set, it has none.

    Attributes: `scanner`, `mpp`, `group` (the slide's number: both scanners saw the same slides), and `confidences`,
    one number for each point.
    """
    with members.collected(raw, receipt) as files:
        frames = patterns.by_id(files.names, rf"frames/x40/{_FRAME}\.tiff?", receipt["dataset"])
        lists = patterns.by_id(files.names, rf"mitosis/{_FRAME}_mitosis\.csv", receipt["dataset"])
        patterns.refuse_orphans(lists, frames, receipt["dataset"])
        for name, member in frames.items():
            image, notes = images.read_image(files.read(member), files.where(member), record.get("intensity"))
            scanner, mpp = _SCANNERS[name[0]]
            notes |= {"source_file": member, "scanner": scanner, "mpp": mpp, "group": name[1:3]}
            layers = {}
            if name in lists:
                layers["points"], notes["confidences"] = _centres(files.read(lists[name]), files.where(lists[name]))
            yield Field(name, image, None, notes, layers)


def _centres(data: bytes, where: str) -> tuple[np.ndarray, list[float]]:
    """Centres float64 (N, 2), row and column, and their confidences."""
    lines = csv_tables.numbers(data, where)
    wrong = [line for line in lines if len(line) != _XY_CONFIDENCE]
    if wrong:
        raise KaryobenchError(f"{where}: the line {wrong[0][:6]} is not x, y and confidence; replace the file")
    table = np.array(lines, np.float64).reshape(-1, _XY_CONFIDENCE)
    return table[:, [1, 0]], table[:, 2].tolist()
