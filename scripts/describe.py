"""Print reference pages made from the project itself: `config`, the configuration's keys."""

import argparse
from pathlib import Path

import yaml

from karyobench.workflow import describe, start


def main() -> None:
    """Print the page that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", choices=["config"])
    parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    print(describe.page(yaml.safe_load((root / start.SCHEMA).read_text(encoding="utf-8"))), end="")


if __name__ == "__main__":
    main()
