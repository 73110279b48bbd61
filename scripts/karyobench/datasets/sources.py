"""What a source declares: its files as their publisher names them, and how to get those behind a form."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from karyobench.errors import KaryobenchError


@dataclass(frozen=True)
class Owner:
    """What a source belongs to: a record of `datasets` or of `pretrained`, by its name."""

    catalogue: str
    name: str

    @property
    def source(self) -> str:
        """The source's key in the configuration."""
        return f"{self.catalogue}.{self.name}.source"

    def __str__(self) -> str:
        return f"dataset '{self.name}'" if self.catalogue == "datasets" else f"{self.catalogue} '{self.name}'"


@dataclass(frozen=True)
class Declared:
    """A raw file as its publisher names it.

    url: official address; None where the file is given out by registration only. mirrors: further addresses of the
    same bytes. sha256, bytes: None where not published. in_mirror: how a mirror's MANIFEST.csv may list a copy or a
    part of the file, under whatever dataset; None: under the owner's name and the file's own name.
    """

    name: str
    url: str | None
    mirrors: tuple[str, ...]
    sha256: str | None
    bytes: int | None
    in_mirror: tuple[str, ...] | None


def declared(owner: Owner, source: dict[str, Any]) -> list[Declared]:
    """The files of a source {url, ...} or {files, registration}, sorted by name.

    Raises KaryobenchError naming the key where an address ends in no file name, where a name is no plain one, and
    where a file has no address and the source does not say how to register.
    """
    where = owner.source
    records = source.get("files") or {source.get("name") or _name_of(where, source["url"]): source}
    for name, record in records.items():
        if record["url"] is None and "registration" not in source:
            raise KaryobenchError(
                f"{where}: '{name}' has no url; give one, or list it under `files` and add "
                "`registration: {page: ..., how: ...}`"
            )
    return [_declared(where, name, record) for name, record in sorted(records.items())]


def _declared(where: str, name: str, record: dict[str, Any]) -> Declared:
    if not name or PurePosixPath(name).name != name or name.startswith(".") or "\\" in name:
        raise KaryobenchError(f"{where}: '{name}' is no plain file name; it holds no folder and begins with no dot")
    in_mirror = tuple(record["in_mirror"]) if "in_mirror" in record else None
    mirrors = tuple(record.get("mirrors", ()))
    return Declared(name, record["url"], mirrors, record.get("sha256"), record.get("bytes"), in_mirror)


def _name_of(where: str, url: str | None) -> str:
    name = PurePosixPath(unquote(urlsplit(url or "").path)).name
    if not name:
        raise KaryobenchError(f"{where}.url: {url} does not end in a file name; set `name`")
    return name


def ask_for(
    owner: Owner, registration: dict[str, str], missing: list[Declared], folder: Path, mirror: bool
) -> KaryobenchError:
    """The error that tells how to get files without an address. folder: where they belong. mirror: one was tried."""
    places = "".join(f"  {folder / file.name}{_told(file)}\n" for file in missing)
    copies = sorted({name for file in missing for name in file.in_mirror or (file.name,)})
    which = "the mirror holds none of them; take one that lists" if mirror else "set `mirror:` to one that lists"
    return KaryobenchError(
        f"{owner}: {_few([file.name for file in missing])} must be asked for at\n"
        f"  {registration['page']}\n{registration['how'].strip()}\n"
        f"Then put what you get at\n{places}and run again. "
        f"Or use a directory with a MANIFEST.csv: {which} {_few(copies)}"
    )


def _few(names: list[str]) -> str:
    """Names of files, unless they are many."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more files"


def _told(file: Declared) -> str:
    known = {"bytes": file.bytes, "sha256": file.sha256}
    told = ", ".join(f"{key} {value}" for key, value in known.items() if value is not None)
    return f"  ({told})" if told else ""
