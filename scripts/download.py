"""Bring the raw files of a dataset to the folder of the receipt, and write the receipt.

The configuration slice is the dataset's name and its "source": one of {"url", "mirrors", "sha256", "name",
"in_mirror"}, {"files": {name: the same}, "registration": {"page", "how"}}, {"package", "members"}, {"local"}. An
interrupted transfer is resumed by the same command. A file put by hand into the folder of the receipt is taken as it
lies there, after a test of its checksum where one is published: the way for files that need a registration. Example:
  python scripts/download.py --config '{"dataset":"mine","source":{"local":"/data/mine"}}'
    --mirror '' --partial resources/partial/mine --output resources/raw/mine/source.json
"""

import argparse
from pathlib import Path

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.datasets.download import download

    download(args.config["dataset"], args.config["source"], args.mirror, args.partial, args.output)


def arguments() -> argparse.ArgumentParser:
    """The step's command line."""
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--mirror", nargs="?", default="", metavar="DIR", help="directory with a MANIFEST.csv, tried first"
    )
    parser.add_argument("--partial", type=Path, required=True, metavar="DIR", help="where unfinished transfers wait")
    parser.add_argument("--output", type=Path, required=True, metavar="JSON", help="receipt to write beside the files")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
