"""Files of published formats, small ones, and what a reader makes of a folder of them."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from karyobench.datasets import readers
from karyobench.datasets.store import Field


def read(name: str, raw: Path, **record: Any) -> dict[str, Field]:
    """Fields that a reader makes of all files in `raw`, by id; record: keys of the dataset's record."""
    found = sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file())
    receipt = {"dataset": "d", "files": {file: {} for file in found}}
    return {field.id: field for field in readers.find(name)(raw, receipt, record)}


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    """Content of an image file: .png, .tif, .bmp, .gif, .jpg or .ppm, the last one also packed as .ppm.gz."""
    if suffix == ".ppm.gz":
        return gzip.compress(encoded(pixels, ".ppm"), mtime=0)
    stream = io.BytesIO()
    if suffix == ".tif":
        tifffile.imwrite(stream, pixels)
    else:
        kind = {".png": "PNG", ".bmp": "BMP", ".gif": "GIF", ".jpg": "JPEG", ".ppm": "PPM"}[suffix]
        Image.fromarray(pixels).save(stream, kind, quality=95, subsampling=0)
    return stream.getvalue()


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    """A zip archive with its members in no order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _disordered(members):
            archive.writestr(name, members[name])


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    """A tar archive with its members in no order; compressed where its name ends in gz."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name in _disordered(members):
            info = tarfile.TarInfo(name)
            info.size = len(members[name])
            archive.addfile(info, io.BytesIO(members[name]))


def _disordered(members: dict[str, bytes]) -> list[str]:
    return sorted(members, key=lambda name: name[::-1])
