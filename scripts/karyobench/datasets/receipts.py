"""The receipt of a download: which raw files a dataset has, their hashes, and where they came from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from karyobench import files
from karyobench.datasets.sources import Owner
from karyobench.errors import KaryobenchError

Files = dict[str, dict[str, Any]]
"""For each file name, relative to the folder of raw files: {"sha256", "bytes"}."""


_KEYS = {"dataset", "source", "files", "subset"}


@dataclass(frozen=True)
class Origin:
    """Whose bytes the raw files are.

    origin: "official", "mirror", "by hand", "local", or "package" with its pin; where files differ, those of all
    joined by " and ". verified: a checksum stated beforehand was met. subset: which part of the official file a
    mirror holds, in its words; None for all of it.
    """

    origin: str
    verified: bool
    subset: str | None = None


def merged(origins: dict[str, Origin]) -> Origin:
    """What is true of several files together, by name. Each part that a mirror holds is told with its file's name."""
    if len(origins) == 1:
        return next(iter(origins.values()))
    parts = [f"{name}: {origin.subset}" for name, origin in sorted(origins.items()) if origin.subset]
    whose = " and ".join(sorted({origin.origin for origin in origins.values()}))
    return Origin(whose, all(origin.verified for origin in origins.values()), "; ".join(parts) or None)


def entry(path: Path) -> dict[str, Any]:
    """What a receipt tells of one file."""
    return {"sha256": files.sha256_file(path), "bytes": path.stat().st_size}


def write(path: Path, owner: Owner, source: dict[str, Any], found: Files, origin: Origin) -> None:
    """Write a receipt. It holds no date and no place, so that equal raw files give an equal receipt.

    kind: "url", "files", "package" or "local". found: the files that are there, which are not those that `source`
    declares where a mirror has them under other names. Raises KaryobenchError on a file named like the receipt.
    """
    if path.name in found and "local" not in source:
        raise KaryobenchError(f"{owner.source}: no raw file can be named '{path.name}', as its receipt is")
    kind = next(key for key in ("url", "files", "package", "local") if key in source)
    # How to register says nothing of the files: another wording must not make the dataset anew.
    told = {key: value for key, value in source.items() if key != "registration"}
    files.write_json(path, {"dataset": owner.name, "kind": kind, "source": told, "files": found, **asdict(origin)})


def read(path: str | Path) -> dict[str, Any]:
    """Receipt of a download. Raises KaryobenchError naming a file that is missing or no receipt."""
    try:
        receipt = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(receipt, dict) or not receipt.keys() >= _KEYS:
            raise ValueError(f"it lacks {', '.join(sorted(_KEYS))}")
        return receipt
    except (OSError, ValueError) as error:
        raise KaryobenchError(f"{path}: no receipt of a download ({error}); run the download step again") from None


def checked_folder(path: str | Path, receipt: dict[str, Any]) -> Path:
    """Folder of the raw files that the receipt at `path` lists, after checking that they are as listed.

    Raises KaryobenchError naming a listed file that is missing or has changed since.
    """
    local = receipt["source"].get("local")
    folder = local_folder(Path(local)) if local else Path(path).parent
    remedy = f"delete {path} and run again, which fetches or lists the files anew"
    for name, stated in receipt["files"].items():
        file = folder / name
        if not file.is_file():
            raise KaryobenchError(f"dataset '{receipt['dataset']}': {file} is missing; {remedy}")
        if file.stat().st_size != stated["bytes"] or files.sha256_file(file) != stated["sha256"]:
            raise KaryobenchError(f"dataset '{receipt['dataset']}': {file} is not the file of its receipt; {remedy}")
    return folder


def local_folder(path: Path) -> Path:
    """Folder to which the names of a local source's receipt refer."""
    return path if path.is_dir() else path.parent
