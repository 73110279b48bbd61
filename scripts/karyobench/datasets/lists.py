"""Published splits: text files image,split,stratum in the folder `published_splits`, one per protocol.

Where they come from:
- kumar-16-8-6: Kumar et al., IEEE TMI 36 (2017): 16 training images of four organs, 8 test images of these organs and
  6 of others; the images as listed for HoVer-Net (Graham et al., MedIA 58, 2019).
- monuseg-30-14: the training and the test archive of the challenge MoNuSeg 2018 (Kumar et al., IEEE TMI 39, 2020), with
  the organizers' organs. Images filed under liver carry the codes of lung projects in their barcodes.
- glas: the contest's training images and its test parts A and B (Sirinukunwattana et al., MedIA 35, 2017).
- icpr2012: the contest's training and evaluation fields, of which some share a slide (Roux et al., JPI 4, 2013).
- drive: the publisher's two halves (Staal et al., IEEE TMI 23, 2004).
- chase_db1: the first 20 images train, the last 8 test, as is common (Fraz et al., IEEE TBME 59, 2012).
- hrf: none is published; the first 5 of each of three diagnoses train, as is common.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from karyobench.datasets.splits import SPLITS
from karyobench.errors import KaryobenchError, nearest

COLUMNS = ("image", "split", "stratum")
_FOLDER = Path(__file__).parent / "published_splits"


@dataclass(frozen=True)
class Entry:
    """What a list says of an image: train, val or test, and the stratum of the published tables, "" where none."""

    split: str
    stratum: str


def path(name: str) -> Path:
    """File of a published split. Raises KaryobenchError naming the nearest one."""
    known = {file.stem: file for file in sorted(_FOLDER.glob("*.csv"))}
    if name not in known:
        raise KaryobenchError(f"there is no published split '{name}'{nearest(name, known)}")
    return known[name]


def read(file: str | Path) -> dict[str, Entry]:
    """Entry of each image id, in the order of the file.

    Raises KaryobenchError naming the file and the line that is no entry, or an image that is listed twice.
    """
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise KaryobenchError(f"{file}: cannot be read as a published split ({error})") from None
    if not rows or tuple(rows[0]) != COLUMNS:
        raise KaryobenchError(f"{file}: the first line must be {','.join(COLUMNS)}")
    listed: dict[str, Entry] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS) or row[1] not in SPLITS:
            raise KaryobenchError(f"{file}: line {number} must hold an image, one of {', '.join(SPLITS)}, a stratum")
        if row[0] in listed:
            raise KaryobenchError(f"{file}: line {number}: image '{row[0]}' is listed twice")
        listed[row[0]] = Entry(row[1], row[2])
    return listed
