"""The file of a split: which image belongs to train, val, test, or none of them."""

import csv
from pathlib import Path

from karyobench.errors import KaryobenchError

SPLITS = ("train", "val", "test")
UNUSED = "unused"
COLUMNS = ("image", "split", "group", "stratum")


def read(path: str | Path) -> dict[str, str]:
    """Split of each image id, in the order of the file.

    Raises KaryobenchError naming a file that is missing or has no columns image and split.
    """
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            return {row["image"]: row["split"] for row in csv.DictReader(stream)}
    except (OSError, KeyError) as error:
        raise KaryobenchError(f"{path}: cannot be read as a split ({error!r}); delete it and run again") from None
