"""Bring a dataset's raw files to their folder, from a mirror, an address, a pip package or a local path."""

import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from karyobench import files
from karyobench.datasets import mirrors, packages, receipts, transfer
from karyobench.datasets.mirrors import Copy
from karyobench.datasets.receipts import Files, Origin
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

_NOTES = ".origins.json"


def download(dataset: str, source: dict[str, Any], mirror: str, partial: Path, output: Path) -> None:
    """Fetch the source of a dataset into the folder of `output`, then write the receipt `output`.

    source: exactly one of {url, mirrors, sha256}, {package, members}, {local}. mirror: a directory with a
    MANIFEST.csv, tried first, or "". partial: folder of unfinished transfers, which a later call resumes.
    A file that is already there with the right checksum is kept. Raises KaryobenchError with the remedy.
    """
    kinds = {"url": _fetch_url, "package": packages.fetch, "local": _list_local}
    given = [kind for kind in kinds if kind in source]
    if len(given) != 1:
        raise KaryobenchError(f"datasets.{dataset}.source has {given or 'none'} of {list(kinds)}; it needs exactly one")
    copies = mirrors.copies(Path(mirror), dataset) if mirror else []
    try:
        found, origin = kinds[given[0]](dataset, source, copies, partial, output.parent)
    except OSError as error:
        raise KaryobenchError(f"dataset '{dataset}': {error}") from error
    if not origin.verified and given != ["local"]:
        log.warning("dataset '%s': no checksum is published; the hash is recorded, not verified", dataset)
    if origin.subset:
        log.warning("dataset '%s': the mirror holds a subset: %s", dataset, origin.subset)
    receipts.write(output, dataset, source, found, origin)


def _fetch_url(
    dataset: str, source: dict[str, Any], copies: list[Copy], partial: Path, folder: Path
) -> tuple[Files, Origin]:
    target = folder / _file_name(dataset, source["url"])
    official = source.get("sha256")
    copy = next((copy for copy in copies if copy.path.name == target.name), None)
    origin = _already_there(target, official, copy)
    if origin is None and copy is not None:
        origin = _from_mirror(copy, target, official)
    if origin is None:
        origin = _from_addresses(dataset, source, partial, target)
    entry = receipts.entry(target)
    if official is None:
        _note(folder, entry["sha256"], origin)
    return {target.name: entry}, origin


def _file_name(dataset: str, url: str) -> str:
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not name or name.startswith("."):
        raise KaryobenchError(f"datasets.{dataset}.source.url: {url} does not end in a file name")
    return name


def _already_there(target: Path, official: str | None, copy: Copy | None) -> Origin | None:
    """Origin of a file that needs no fetching; None where there is none, or one with a wrong checksum."""
    if not target.is_file():
        return None
    found = files.sha256_file(target)
    if found == official:
        return Origin("official", verified=True)
    if copy is not None and found == copy.sha256:
        return _mirrored(copy, official)
    if official is None:
        return _noted(target.parent, found) or Origin("by hand", verified=False)
    log.warning("%s has the sha256 %s, expected %s; it is fetched again", target, found, official)
    return None


# ---------------------------------------------------------------------- mirror


def _from_mirror(copy: Copy, target: Path, official: str | None) -> Origin | None:
    if not copy.path.is_file():
        log.warning("mirror: %s is listed but not there; trying the official address", copy.path)
        return None
    log.info("taking %s from the mirror", copy.path)
    with files.atomic(target) as taken:
        shutil.copyfile(copy.path, taken)
        found = files.sha256_file(taken)
        if found != copy.sha256:
            raise KaryobenchError(
                f"mirror: {copy.path} has the sha256 {found}, its MANIFEST.csv expects {copy.sha256}; "
                "replace the file, or remove `mirror` from the configuration"
            )
    return _mirrored(copy, official)


def _mirrored(copy: Copy, official: str | None) -> Origin:
    if copy.sha256 == official:
        return Origin("official", verified=True)
    return Origin("mirror", verified=True, subset=copy.subset or "differs from the official file")


# Without a published checksum nothing but this note tells a mirror's subset from the official file once it lies there.


def _note(folder: Path, sha256: str, origin: Origin) -> None:
    files.write_json(folder / _NOTES, {**_notes(folder), sha256: asdict(origin)})


def _noted(folder: Path, sha256: str) -> Origin | None:
    known = _notes(folder).get(sha256)
    return Origin(**known) if known else None


def _notes(folder: Path) -> dict[str, Any]:
    path = folder / _NOTES
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


# ---------------------------------------------------------------------- addresses


def _from_addresses(dataset: str, source: dict[str, Any], partial: Path, target: Path) -> Origin:
    """Try the official address, then its mirrors; one that fails or gives wrong bytes leads to the next."""
    faults = []
    for url in [source["url"], *source.get("mirrors", [])]:
        try:
            _from_address(url, source.get("sha256"), partial, target)
        except transfer.TransferError as fault:
            log.warning("%s", fault)
            faults.append(f"  - {fault}\n")
        else:
            verified = source.get("sha256") is not None
            return Origin("official" if verified or url == source["url"] else "mirror", verified)
    raise KaryobenchError(
        f"dataset '{dataset}': {target.name} could not be fetched.\n{''.join(faults)}"
        "Remedy: check the network (proxies are read from http_proxy and https_proxy); or set `mirror:` in the "
        f"configuration to a directory with a MANIFEST.csv that lists the file; or put the file by hand at {target}"
    )


def _from_address(url: str, official: str | None, partial: Path, target: Path) -> None:
    unfinished = partial / f"{files.digest(url)[:12]}-{target.name}"
    log.info("fetching %s", url)
    transfer.transfer(url, unfinished)
    found = files.sha256_file(unfinished)
    if official not in (None, found):
        transfer.discard(unfinished)
        raise transfer.TransferError(
            f"{url}: {target.name} has the sha256 {found}, expected {official}; the download was deleted. Run again; "
            "if the publisher has replaced the file, check it and put its new sha256 in the configuration"
        )
    with files.atomic(target) as taken:
        shutil.move(unfinished, taken)
    transfer.discard(unfinished)


# ---------------------------------------------------------------------- local


def _list_local(
    dataset: str, source: dict[str, Any], copies: list[Copy], partial: Path, folder: Path
) -> tuple[Files, Origin]:
    """Local files are listed and stay where they are."""
    path = Path(source["local"])
    if not path.exists():
        raise KaryobenchError(f"datasets.{dataset}.source.local is {path}, which does not exist; correct the path")
    root = receipts.local_folder(path)
    found = sorted(p for p in (path.rglob("*") if path.is_dir() else [path]) if _is_data(p))
    if not found:
        raise KaryobenchError(f"datasets.{dataset}.source.local is {path}, which holds no files")
    return {p.relative_to(root).as_posix(): receipts.entry(p) for p in found}, Origin("local", verified=False)


def _is_data(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")
