"""Print what a study would run and why, what it would download, and what it would take.

Further options go to Snakemake's dry run, for example: python scripts/plan.py --study dsb2018 --configfile mine.yaml
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config, validate

from karyobench.errors import KaryobenchError
from karyobench.workflow import plan, start


def main() -> int:
    """Run the dry run, render the plan, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", help="a study of the configuration; its default study otherwise")
    parser.add_argument("--configfile", action="append", default=[], help="configuration laid over config.yaml")
    args, more = parser.parse_known_args()
    chosen = ["--config", f"study={args.study}"] if args.study else []
    over = ["--configfile", *args.configfile] if args.configfile else []
    dry = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", *over, *chosen, *more],
        capture_output=True,
        text=True,
        check=False,
    )
    if dry.returncode != 0:
        print(dry.stdout + dry.stderr, file=sys.stderr)
        return dry.returncode
    try:
        catalogue = start.Catalogue(_configuration(args))
    except KaryobenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    datasets = {name: catalogue.config["datasets"][name] for name in catalogue.datasets}
    pretrained = {name: catalogue.config["pretrained"][name] for name in catalogue.pretrained}
    print(plan.render(plan.jobs(dry.stdout + dry.stderr), datasets, pretrained, Path.cwd()))
    return 0


def _configuration(args: argparse.Namespace) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name in ["config.yaml", *args.configfile]:
        update_config(config, yaml.safe_load(Path(name).read_text(encoding="utf-8")))
    if args.study:
        config["study"] = args.study
    start.read(config, Path.cwd(), validate)
    return config


if __name__ == "__main__":
    sys.exit(main())
