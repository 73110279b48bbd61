"""Members of a dataset recognised by the end of their path: where its folders start differs from copy to copy."""

import re
from collections.abc import Iterable

from karyobench.errors import KaryobenchError


def by_id(names: Iterable[str], pattern: str, dataset: str) -> dict[str, str]:
    """Name of the member of each id, sorted by id.

    pattern: of the last parts of a path, with a group `id`. Raises KaryobenchError naming two members of one id.
    """
    found: dict[str, str] = {}
    for name in names:
        match = re.fullmatch(f"(?:.*/)?{pattern}", name)
        if match and found.setdefault(match["id"], name) != name:
            raise KaryobenchError(
                f"dataset '{dataset}': '{found[match['id']]}' and '{name}' are both '{match['id']}'; remove one"
            )
    return dict(sorted(found.items()))


def required(found: dict[str, str], image: str, what: str, dataset: str) -> str:
    """The member that belongs to an image. Raises KaryobenchError naming an image that has none."""
    if image not in found:
        raise KaryobenchError(f"dataset '{dataset}': image '{image}' has no {what}; download it again")
    return found[image]


def refuse_orphans(truths: dict[str, str], pictures: dict[str, str], dataset: str) -> None:
    """Raises KaryobenchError naming a member with the truth of an image that is not there."""
    for image in sorted(truths.keys() - pictures.keys()):
        raise KaryobenchError(f"dataset '{dataset}': '{truths[image]}' has no image '{image}'; download it again")
