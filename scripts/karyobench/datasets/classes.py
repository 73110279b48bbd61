"""Classes of whole images: the truth of datasets whose `objects` are classes."""

from collections.abc import Sequence
from typing import Any

from karyobench.errors import KaryobenchError, nearest


def place(label: Any, classes: Sequence[str], where: str) -> int:
    """Place of an image's class among those of its dataset; everything that has one value per class is in their order.

    where: names the image. Raises KaryobenchError on an image without a class (None) and on a class that is not listed.
    """
    if label is None:
        raise KaryobenchError(f"{where} has no class; take it out of the dataset, or mend its reader")
    if label not in classes:
        raise KaryobenchError(
            f"{where} is of class '{label}', which is none of the dataset's `classes`{nearest(str(label), classes)}; "
            "add it there, or take the image out"
        )
    return list(classes).index(label)
