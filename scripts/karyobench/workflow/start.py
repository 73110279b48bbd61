"""What happens when the Snakefile is read: the configuration is checked and filled, a stale lock is cleared."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from karyobench.errors import KaryobenchError
from karyobench.workflow import explain, lock
from karyobench.workflow.catalogue import Catalogue

__all__ = ["Catalogue", "claim", "in_repository", "read"]

SCHEMA = Path("rules") / "schemas" / "config.schema.yaml"
log = logging.getLogger("karyobench")


def in_repository(workdir: Path) -> None:
    """Raise KaryobenchError when the working directory lacks the steps that the rules call by relative path."""
    if not (workdir / "scripts" / "karyobench").is_dir():
        raise KaryobenchError(
            f"{workdir} holds no scripts/karyobench; run Snakemake from the root of the repository "
            "(to keep results elsewhere, make 'results' and 'resources' symbolic links)"
        )


def read(config: dict[str, Any], root: Path, validate: Callable[[dict[str, Any], str], None]) -> None:
    """Validate `config` against the schema with Snakemake's `validate`, which also fills in defaults, in place.

    Raises KaryobenchError with one sentence per fault.
    """
    schema = yaml.safe_load((root / SCHEMA).read_text(encoding="utf-8"))
    faults = explain.problems(config, schema)
    if faults:
        raise KaryobenchError(explain.listed(faults))
    validate(config, str(root / SCHEMA))


def claim(workdir: Path) -> None:
    """Claim the working directory for this run, saying what a killed run left behind and was cleared."""
    for said in lock.claim(workdir):
        log.warning(said)
