"""Print reference pages made from the project itself: `config`, the configuration's keys; `systems`, the systems."""

import argparse
import json
from pathlib import Path

import yaml

from karyobench import cli


def config_page(as_json: bool) -> str:
    """The keys of the configuration."""
    from karyobench.workflow import describe, start

    schema = yaml.safe_load((Path(__file__).resolve().parents[1] / start.SCHEMA).read_text(encoding="utf-8"))
    return json.dumps(schema, indent=2) + "\n" if as_json else describe.page(schema)


def systems_page(as_json: bool) -> str:
    """Every system with its task, paper, parameter count and stages."""
    from karyobench.systems import overview

    return json.dumps(overview.records(), indent=2) + "\n" if as_json else overview.page()


PAGES = {"config": config_page, "systems": systems_page}


def main(args: argparse.Namespace) -> None:
    """Print the page that the command line names."""
    print(PAGES[args.page](args.json), end="")


def arguments() -> argparse.ArgumentParser:
    """The program's command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", choices=sorted(PAGES))
    parser.add_argument("--json", action="store_true", help="the same for programs")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
