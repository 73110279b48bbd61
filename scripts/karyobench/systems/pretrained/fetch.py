"""Bring pretrained weights to this machine and make safetensors of them."""

from pathlib import Path
from typing import Any

from karyobench.datasets import receipts
from karyobench.datasets.download import download
from karyobench.errors import KaryobenchError
from karyobench.systems.pretrained import formats, inputs
from karyobench.systems.weights import write as write_tensors


def fetch(config: dict[str, Any], mirror: str, partial: Path, receipt: Path, output: Path) -> None:
    """Fetch the one file of a source, write its receipt, and write its tensors as safetensors.

    config: the slice {"pretrained": name, "source", "format", "input"} with `input` absent where the weights expect
    what our networks are given. mirror, partial: as of `datasets.download`. Raises KaryobenchError as `download`, and
    on a file that is not what the record says.
    """
    name = config["pretrained"]
    download(name, config["source"], mirror, partial, receipt, "pretrained")
    told = receipts.read(receipt)
    if len(told["files"]) != 1:
        raise KaryobenchError(f"pretrained.{name}.source: has {len(told['files'])} files; weights are one file")
    file = receipts.checked_folder(receipt, told) / next(iter(told["files"]))
    try:
        tensors = formats.read(file, config["format"])
        if "input" in config:
            tensors = inputs.adapted(tensors, config["input"])
    except KaryobenchError as error:
        raise KaryobenchError(f"pretrained.{name}: {error}") from None
    write_tensors(output, tensors)
