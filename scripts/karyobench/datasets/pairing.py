"""Which of a user's files are images, and which are whose truth, by the record's key `folder` (see readers/folder.py).

All functions raise KaryobenchError naming the dataset, and an image or a truth without the other or with two of them.
"""

import re
from collections import defaultdict
from typing import Any

from karyobench.datasets import globs
from karyobench.errors import KaryobenchError, nearest

Asked = dict[str, Any]
"""The record's key `folder`."""


def pictures(paths: list[str], asked: Asked, dataset: str) -> dict[str, str]:
    """Path of each image, by name, sorted. What the pattern of the truth matches too is no image."""
    truths = set(globs.matching(paths, asked["truth"]))
    found = globs.named([path for path in paths if path not in truths], asked["images"])
    if not found:
        seen = ", ".join(f"'{path}'" for path in paths[:3])
        raise KaryobenchError(
            f"datasets.{dataset}.folder.images: none is '{asked['images']}' and not truth; the files begin with {seen}"
        )
    by_id: dict[str, str] = {}
    for name, (path, *more) in found.items():
        other = more[0] if more else by_id.setdefault(image_id(name), path)
        if other != path:
            raise KaryobenchError(
                f"dataset '{dataset}': '{path}' and '{other}' are both image '{image_id(name)}'; rename one"
            )
    return {name: found[name][0] for name in found}


def image_id(name: str) -> str:
    """Id of an image: its name, which may hold folders, without '/'."""
    return name.replace("/", "-")


def truths(paths: list[str], asked: Asked, images: dict[str, str], dataset: str) -> dict[str, list[str]]:
    """Paths of the truth of each image, by name, sorted. images: path of each, by name."""
    pattern, where = asked["truth"], f"dataset '{dataset}'"
    if globs.NAME not in pattern:
        raise KaryobenchError(
            f"datasets.{dataset}.folder.truth: '{pattern}' lacks {{name}}, where an image's name stands"
        )
    found = globs.named(paths, pattern)
    for name, path in images.items():
        if name not in found:
            wanted = pattern.replace(globs.NAME, name)
            raise KaryobenchError(f"{where}: image '{path}' has no truth '{wanted}'; add it or remove the image")
    for name, (path, *more) in found.items():
        if name not in images:
            raise KaryobenchError(
                f"{where}: truth '{path}' has no image '{name}' among '{asked['images']}'{nearest(name, images)}; "
                "add the image or remove the truth"
            )
        if more and asked["format"] != "masks":
            raise KaryobenchError(f"{where}: '{path}' and '{more[0]}' are both truth of image '{name}'; remove one")
    return found


def one_truth(paths: list[str], asked: Asked, dataset: str) -> str:
    """Path of the one file that holds the truth of all images."""
    found = globs.matching(paths, asked["truth"])
    if len(found) != 1:
        raise KaryobenchError(
            f"datasets.{dataset}.folder.truth: {len(found)} files are '{asked['truth']}'; one must hold all truth"
        )
    return found[0]


def by_file_name(listed: dict[str, Any], images: dict[str, str], where: str, dataset: str) -> dict[str, Any]:
    """What a file lists under the file name of each image, by the image's name. where: what messages call the file.

    A file name is the end of a path, with folders or without. images: path of each, by name.
    """
    ends = defaultdict(list)
    for name, path in images.items():
        parts = path.split("/")
        for k in range(len(parts)):
            ends["/".join(parts[k:])].append(name)
    found: dict[str, Any] = {}
    for file, value in listed.items():
        if len(ends[file]) != 1:
            which = "no image" if not ends[file] else " and ".join(f"'{images[name]}'" for name in ends[file][:2])
            raise KaryobenchError(
                f"{where}: its file name '{file}' is {which} of dataset '{dataset}'; correct one of them"
            )
        if ends[file][0] in found:
            raise KaryobenchError(f"{where}: lists image '{images[ends[file][0]]}' twice; correct it")
        found[ends[file][0]] = value
    for name, path in images.items():
        if name not in found:
            raise KaryobenchError(
                f"dataset '{dataset}': {where} does not list image '{path}'; add it or remove the image"
            )
    return found


def group(name: str, asked: Asked, dataset: str) -> dict[str, str]:
    """The attribute `group` that the record's expression finds in an image's name; none without an expression."""
    if "group" not in asked:
        return {}
    where = f"datasets.{dataset}.folder.group: '{asked['group']}'"
    try:
        expression = re.compile(asked["group"])
    except re.error as error:
        raise KaryobenchError(f"{where} is no regular expression ({error})") from None
    if expression.groups != 1:
        raise KaryobenchError(f"{where} must have one pair of brackets around what is the group")
    match = expression.search(name)
    if not match or match[1] is None:
        raise KaryobenchError(f"{where} does not fit the image's name '{name}'; each must tell its group")
    return {"group": match[1]}
