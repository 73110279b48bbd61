"""Assign every image of a dataset to train, val, test or unused, and keep what belongs together in one of them."""

import csv
import io
import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from karyobench import files
from karyobench.datasets import balance, leakage, lists, store
from karyobench.datasets.groups import Group
from karyobench.datasets.splits import COLUMNS, SPLITS, UNUSED
from karyobench.errors import KaryobenchError, nearest

log = logging.getLogger("karyobench")

_EACH_ALONE = "image"


@dataclass(frozen=True)
class Image:
    """What a split asks of an image.

    group: images of one stay together. stratum: what is balanced. shown: the stratum in the output. train_only: it may
    not be val or test. entry: what a published list says of it.
    """

    about: dict[str, Any]
    group: str
    stratum: str
    shown: str
    train_only: bool = False
    entry: lists.Entry | None = None


Images = dict[str, Image]


def split(record: dict[str, Any], dataset: Path, output: Path, listed: Path | None = None) -> None:
    """Split a dataset as `record` says and write the CSV `output`: image, split, group, stratum; sorted by image.

    record, by its kind:
    regions: each image carries its split.
    test: every image is tested on.
    listed {train: [...], val: [...], test: [...]}: images that no list names are unused.
    stratified {test, val, by, seed, train_only}: fractions of all images, dealt by whole groups so that each part has
    its fraction of the images and objects of every stratum, see `balance.balanced`.
    folds {folds, fold, val, by, seed, train_only}: images are dealt to equal folds in the same way; number `fold`
    (from 1) is the test split, and `val` a fraction of the others. The folds are the same whichever is the test split.
    published {list, val, by, seed, train_only}: as the file `listed` says, see `lists`; images that it does not name
    are unused, and `val` is a fraction of its training images. If it has strata they stand in the output.
    by: attribute, or list of them, whose values are the strata. group: attribute of the images that stay together,
    default `group`; `image` takes each image alone. train_only: attributes with the value that keeps an image and its
    group out of val and test. The same record and dataset give the same split.

    Raises KaryobenchError on an unknown image, attribute or list, a split that comes out empty, or a group in two
    splits. A published split, or one by another attribute than `group`, may part groups; then a warning says so.
    """
    kinds: dict[str, Callable[[dict[str, Any], Images], dict[str, str]]] = {
        "regions": _by_region,
        "test": _all_tested,
        "listed": _listed,
        "stratified": _stratified,
        "folds": _folds,
        "published": _published,
    }
    kind = record["kind"]
    if kind not in kinds:
        raise KaryobenchError(f"split.kind '{kind}' does not exist{nearest(kind, kinds)}")
    images = _images(record, dataset)
    if kind == "published":
        images = _with_entries(record, listed, images)
    assigned = dict.fromkeys(images, UNUSED) | kinds[kind](record, images)
    _check_leakage(kind, assigned, images)
    counts = Counter(assigned.values())
    log.info("split: %s", ", ".join(f"{counts[part]} {part}" for part in (*SPLITS, UNUSED)))
    files.write_text(output, _table(assigned, images))


def _check_leakage(kind: str, assigned: dict[str, str], images: Images) -> None:
    attributes = {name: image.about for name, image in images.items()}
    if kind != "published":
        leakage.refuse(assigned, {name: image.group for name, image in images.items()}, attributes)
    leakage.tell(assigned, {name: str(about["group"]) for name, about in attributes.items()}, attributes)


def _table(assigned: dict[str, str], images: Images) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([name, part, images[name].group, images[name].shown] for name, part in sorted(assigned.items()))
    return text.getvalue()


# ---------------------------------------------------------------------- images


def _images(record: dict[str, Any], dataset: Path) -> Images:
    with store.reading(dataset) as stored:
        attributes = {image: stored.attributes(image) for image in stored.ids}
    by = record.get("by", [])
    by = [by] if isinstance(by, str) else by
    images = {}
    for name, about in attributes.items():
        strata = [str(_value(about, attribute, name, "by")) for attribute in by]
        group = record.get("group", "group")
        group = name if group == _EACH_ALONE else str(_value(about, group, name, "group"))
        images[name] = Image(about, group, "/".join(strata), "/".join(strata))
    return _bound(images, record.get("train_only", {}))


def _value(about: dict[str, Any], attribute: str, image: str, key: str) -> Any:
    if attribute not in about:
        raise KaryobenchError(f"split.{key}: image '{image}' has no attribute '{attribute}'{nearest(attribute, about)}")
    return about[attribute]


def _bound(images: Images, train_only: dict[str, Any]) -> Images:
    """The images, marked where they or one of their group have one of the values that keep them out of val and test."""
    known = {attribute for image in images.values() for attribute in image.about}
    for attribute in train_only:
        if attribute not in known:
            raise KaryobenchError(
                f"split.train_only: no image has an attribute '{attribute}'{nearest(attribute, known)}"
            )
    wanted = train_only.items()
    bound = {image.group for image in images.values() if any(image.about.get(key) == value for key, value in wanted)}
    return {name: replace(image, train_only=image.group in bound) for name, image in images.items()}


# ---------------------------------------------------------------------- regions and lists


def _by_region(record: dict[str, Any], images: Images) -> dict[str, str]:
    whole = [name for name, image in images.items() if "region_split" not in image.about]
    if whole:
        raise KaryobenchError(f"split: kind 'regions' needs `regions` in the dataset's record; '{whole[0]}' is not cut")
    return {name: image.about["region_split"] for name, image in images.items()}


def _all_tested(record: dict[str, Any], images: Images) -> dict[str, str]:
    return dict.fromkeys(images, "test")


def _listed(record: dict[str, Any], images: Images) -> dict[str, str]:
    assigned: dict[str, str] = {}
    for part in SPLITS:
        for image in record.get(part, []):
            if image not in images:
                raise KaryobenchError(f"split.{part}: there is no image '{image}'{nearest(image, images)}")
            if image in assigned:
                raise KaryobenchError(f"split: image '{image}' is in {assigned[image]} and in {part}; list it once")
            assigned[image] = part
    return assigned


def _with_entries(record: dict[str, Any], listed: Path | None, images: Images) -> Images:
    """The images with what the list says of them; its strata, if any, are shown, and balanced where no others are."""
    if listed is None:
        raise KaryobenchError(f"split: kind 'published' needs the file of the list '{record['list']}'")
    entries = lists.read(listed)
    known = entries.keys() & images.keys()
    if not known:
        raise KaryobenchError(
            f"split.list: '{record['list']}' names none of the dataset's images; "
            f"it has '{min(entries)}', the dataset '{min(images)}'"
        )
    log.info("split: %d of the %d images of list '%s' are here", len(known), len(entries), record["list"])
    if len(known) < len(images):
        log.warning("split: %d images are not in list '%s' and stay unused", len(images) - len(known), record["list"])
    strata = {name: entry.stratum for name, entry in entries.items() if any(e.stratum for e in entries.values())}
    return {
        name: replace(
            image,
            entry=entries.get(name),
            shown=strata.get(name, image.stratum),
            stratum=image.stratum if "by" in record else strata.get(name, ""),
        )
        for name, image in images.items()
    }


def _published(record: dict[str, Any], images: Images) -> dict[str, str]:
    assigned = {name: image.entry.split for name, image in images.items() if image.entry}
    if record.get("val") and "val" in assigned.values():
        raise KaryobenchError(f"split.val: list '{record['list']}' has validation images already; remove `val`")
    train = {name: images[name] for name, part in assigned.items() if part == "train"}
    return assigned | _with_val(record, train)


# ---------------------------------------------------------------------- fractions


def _stratified(record: dict[str, Any], images: Images) -> dict[str, str]:
    return _dealt(images, _fractions(record, "test", "val"), record.get("seed", 0))


def _folds(record: dict[str, Any], images: Images) -> dict[str, str]:
    count, fold = record["folds"], record["fold"]
    if not 1 <= fold <= count:
        raise KaryobenchError(f"split.fold: {fold} is not between 1 and folds, which is {count}")
    free = {name: image for name, image in images.items() if not image.train_only}
    dealt = _dealt(free, {f"fold {k}": 1 / count for k in range(1, count + 1)}, record.get("seed", 0))
    test = {name: "test" for name, part in dealt.items() if part == f"fold {fold}"}
    return test | _with_val(record, {name: image for name, image in images.items() if name not in test})


def _with_val(record: dict[str, Any], images: Images) -> dict[str, str]:
    if not record.get("val"):
        return dict.fromkeys(images, "train")
    return _dealt(images, _fractions(record, "val"), record.get("seed", 0))


def _fractions(record: dict[str, Any], *parts: str) -> dict[str, float]:
    """The fractions that are asked for, and what they leave for train."""
    asked = {part: record.get(part, 0) for part in parts}
    if min(asked.values()) < 0 or sum(asked.values()) >= 1:
        raise KaryobenchError(f"split: fractions {asked} must not be negative and must leave some for train")
    return {part: fraction for part, fraction in asked.items() if fraction} | {"train": 1 - sum(asked.values())}


def _dealt(images: Images, fractions: dict[str, float], seed: int) -> dict[str, str]:
    """Part of each image, by whole groups."""
    members = defaultdict(list)
    for name in sorted(images):
        members[images[name].group].append(name)
    groups = [_group(group, names, images) for group, names in members.items()]
    dealt = balance.balanced(groups, fractions, seed)
    return {name: dealt[image.group] for name, image in images.items()}


def _group(name: str, members: list[str], images: Images) -> Group:
    counts: dict[str, tuple[int, int]] = {}
    for image in (images[member] for member in members):
        pictures, objects = counts.get(image.stratum, (0, 0))
        counts[image.stratum] = (pictures + 1, objects + image.about.get("n_instances", 0))
    return Group(name, counts, "train" if images[members[0]].train_only else None)
