"""BreakHis: microscopic images of breast tumours at four magnifications, each of one class; no pixel truth.

An image is named SOB_<B|M>_<subtype>-<year>-<slide>-<magnification>-<number>.png; its folders repeat that.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from karyobench.datasets import images, members
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_LABELS = {"B": "benign", "M": "malignant"}
_SUBTYPES = {
    "A": "adenosis",
    "F": "fibroadenoma",
    "PT": "phyllodes tumour",
    "TA": "tubular adenoma",
    "DC": "ductal carcinoma",
    "LC": "lobular carcinoma",
    "MC": "mucinous carcinoma",
    "PC": "papillary carcinoma",
}
_NAME = re.compile(
    r"SOB_(?:B_(?=A|F|PT|TA)|M_(?=DC|LC|MC|PC))(?P<subtype>[A-Z]+)"
    r"-(?P<year>\d\d)-(?P<case>\d+)(?P<block>[A-Z]*)-(?P<magnification>40|100|200|400)-\d+"
)


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, in the order of their paths.

    Attributes: `label` (benign, malignant), `subtype`, `magnification`, `patient` (year and slide, which is also the
    group: one slide is filed under two subtypes, with the same images), and `case`, the patient without the letters
    of the block.
    """
    with members.collected(raw, receipt) as files:
        for name in files.names:
            if name.endswith(".png"):
                about = _described(PurePosixPath(name).stem, files.where(name))
                image, notes = images.read_image(files.read(name), files.where(name), record.get("intensity"))
                yield Field(PurePosixPath(name).stem, image, None, {"source_file": name, **about, **notes})


def _described(stem: str, where: str) -> dict[str, Any]:
    match = _NAME.fullmatch(stem)
    if not match or match["subtype"] not in _SUBTYPES:
        raise KaryobenchError(
            f"{where}: '{stem}' is not of the form SOB_<B|M>_<subtype>-<year>-<slide>-<magnification>-<number>; "
            "remove the file"
        )
    case = f"{match['year']}-{match['case']}"
    patient = case + match["block"]
    return {
        "label": _LABELS[stem[4]],
        "subtype": _SUBTYPES[match["subtype"]],
        "magnification": int(match["magnification"]),
        "patient": patient,
        "group": patient,
        "case": case,
    }
