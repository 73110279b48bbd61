"""Bring the raw files of a record to their folder, from a mirror, addresses, a pip package or a local path."""

import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from karyobench import files
from karyobench.datasets import mirrors, packages, receipts, sources, transfer
from karyobench.datasets.mirrors import Copy, Share
from karyobench.datasets.receipts import Files, Origin
from karyobench.datasets.sources import Declared, Owner
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

_NOTES = ".origins.json"
_PAGES = (".html", ".htm")


def download(
    name: str, source: dict[str, Any], mirror: str, partial: Path, output: Path, catalogue: str = "datasets"
) -> None:
    """Fetch the source of a record into the folder of `output`, then write the receipt `output`.

    name: of the record in its `catalogue`, `datasets` or `pretrained`.
    source: exactly one of {url, mirrors, sha256, name, in_mirror}, {files, registration}, {package, members}, {local}.
    mirror: a directory with a MANIFEST.csv, tried first, or "". partial: folder of unfinished transfers, which a
    later call resumes. A file that is already there with the right checksum is kept. What a mirror has under another
    name than the publisher keeps that name, so that it never passes for the official file.
    Raises KaryobenchError with the remedy; for files that are given out by registration, where to register.
    """
    owner = Owner(catalogue, name)
    kinds = {"url": _fetch, "files": _fetch, "package": packages.fetch, "local": _list_local}
    given = [kind for kind in kinds if kind in source]
    if len(given) != 1:
        raise KaryobenchError(f"{owner.source} has {given or 'none'} of {list(kinds)}; it needs exactly one")
    copies = mirrors.copies(Path(mirror)) if mirror else []
    try:
        found, origin = kinds[given[0]](owner, source, copies, partial, output.parent)
    except OSError as error:
        raise KaryobenchError(f"{owner}: {error}") from error
    if not origin.verified and given != ["local"]:
        log.warning("%s: no checksum is published; the hash is recorded, not verified", owner)
    if origin.subset:
        log.warning("%s: the mirror holds a subset: %s", owner, origin.subset)
    receipts.write(output, owner, source, found, origin)


def _fetch(
    owner: Owner, source: dict[str, Any], copies: list[Copy], partial: Path, folder: Path
) -> tuple[Files, Origin]:
    """What is there already is kept; then a mirror's copies are taken; then the addresses are asked."""
    shares = mirrors.shares(copies, owner, sources.declared(owner, source))
    there = {file: _already_there(folder / file.name, file.sha256, s.copy) for s in shares for file in s.served}
    by_hand = [file for share in shares for file in share.served if not (share.copy or file.url or there[file])]
    if by_hand:
        raise sources.ask_for(owner, source["registration"], by_hand, folder, mirror=bool(copies))
    found, origins = {}, {}
    for share in shares:
        had = _obtained(owner, share, {file: there[file] for file in share.served}, partial, folder)
        found |= {name: _recorded(folder, name, origin) for name, origin in had.items()}
        origins |= had
    return found, receipts.merged(origins)


def _obtained(
    owner: Owner, share: Share, there: dict[Declared, Origin | None], partial: Path, folder: Path
) -> dict[str, Origin]:
    """Names of the files that now stand for a share, with their origins. there: origins of those that lay there."""
    if all(there.values()):
        return {file.name: origin for file, origin in there.items()}
    if share.copy is None:
        return {file.name: _from_addresses(owner, file, partial, folder) for file in share.served}
    for file in filter(there.get, share.served):
        log.warning("%s is left aside: the mirror's %s is taken for it", file.name, share.copy.path)
    return {share.copy.path.name: _from_mirror(share, folder)}


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
    log.warning("%s has the sha256 %s, expected %s; it is not used", target, found, official)
    return None


# ---------------------------------------------------------------------- mirror


def _from_mirror(share: Share, folder: Path) -> Origin:
    """Take the copy of a share under its own name."""
    copy, target = share.copy, folder / share.copy.path.name
    if not target.is_file() or files.sha256_file(target) != copy.sha256:
        log.info("taking %s from the mirror", copy.path)
        _take(copy, target)
    return _mirrored(copy, share.served[0].sha256 if len(share.served) == 1 else None)


def _take(copy: Copy, target: Path) -> None:
    with files.atomic(target) as taken:
        shutil.copyfile(copy.path, taken)
        found = files.sha256_file(taken)
        if found != copy.sha256:
            raise KaryobenchError(
                f"mirror: {copy.path} has the sha256 {found}, its MANIFEST.csv expects {copy.sha256}; "
                "replace the file, or remove `mirror` from the configuration"
            )


def _mirrored(copy: Copy, official: str | None) -> Origin:
    if copy.sha256 == official:
        return Origin("official", verified=True)
    unlike = "differs from the official file" if official else None
    return Origin("mirror", verified=True, subset=None if copy.complete else copy.subset or unlike)


# Without a published checksum nothing but this note tells a mirror's subset from the official file once it lies there.


def _recorded(folder: Path, name: str, origin: Origin) -> dict[str, Any]:
    entry = receipts.entry(folder / name)
    files.write_json(folder / _NOTES, {**_notes(folder), entry["sha256"]: asdict(origin)})
    return entry


def _noted(folder: Path, sha256: str) -> Origin | None:
    known = _notes(folder).get(sha256)
    return Origin(**known) if known else None


def _notes(folder: Path) -> dict[str, Any]:
    path = folder / _NOTES
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


# ---------------------------------------------------------------------- addresses


def _from_addresses(owner: Owner, file: Declared, partial: Path, folder: Path) -> Origin:
    """Try the official address, then its mirrors; one that fails or gives wrong bytes leads to the next."""
    target, faults = folder / file.name, []
    for url in [file.url, *file.mirrors]:
        try:
            _from_address(url, file.sha256, partial, target)
        except transfer.TransferError as fault:
            log.warning("%s", fault)
            faults.append(f"  - {fault}\n")
        else:
            verified = file.sha256 is not None
            return Origin("official" if verified or url == file.url else "mirror", verified)
    raise KaryobenchError(
        f"{owner}: {file.name} could not be fetched.\n{''.join(faults)}"
        "Remedy: check the network (proxies are read from http_proxy and https_proxy); or set `mirror:` in the "
        f"configuration to a directory with a MANIFEST.csv that lists the file; or put the file by hand at {target}"
    )


def _from_address(url: str, official: str | None, partial: Path, target: Path) -> None:
    unfinished = partial / f"{files.digest(url)[:12]}-{target.name}"
    log.info("fetching %s", url)
    transfer.transfer(url, unfinished)
    fault = _fault_of(unfinished, official, target.name)
    if fault:
        transfer.discard(unfinished)
        raise transfer.TransferError(f"{url}: {fault}")
    with files.atomic(target) as taken:
        shutil.move(unfinished, taken)
    transfer.discard(unfinished)


def _fault_of(unfinished: Path, official: str | None, name: str) -> str | None:
    """Why a finished transfer is not the file; None if it is, or may be. A checksum, where known, decides alone."""
    found = files.sha256_file(unfinished)
    if found == official:
        return None
    if transfer.is_page(unfinished) and not name.lower().endswith(_PAGES):
        return (
            f"a web page came instead of {name} (a sign-in, a consent, or a download quota that is used up); "
            "open the address in a browser to see which, or try again tomorrow"
        )
    if official is None:
        return None
    return (
        f"{name} has the sha256 {found}, expected {official}; the download was deleted. Run again; "
        "if the publisher has replaced the file, check it and put its new sha256 in the configuration"
    )


# ---------------------------------------------------------------------- local


def _list_local(
    owner: Owner, source: dict[str, Any], copies: list[Copy], partial: Path, folder: Path
) -> tuple[Files, Origin]:
    """Local files are listed and stay where they are."""
    path = Path(source["local"])
    if not path.exists():
        raise KaryobenchError(f"{owner.source}.local is {path}, which does not exist; correct the path")
    root = receipts.local_folder(path)
    found = sorted(p for p in (path.rglob("*") if path.is_dir() else [path]) if _is_data(p))
    if not found:
        raise KaryobenchError(f"{owner.source}.local is {path}, which holds no files")
    return {p.relative_to(root).as_posix(): receipts.entry(p) for p in found}, Origin("local", verified=False)


def _is_data(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")
