"""Assign the images of a dataset to train, val, test or unused.

The configuration slice holds the dataset's "split". Example:
  python scripts/split.py --config '{"split":{"kind":"stratified","by":"image_type","test":0.1,"val":0.1,"seed":0}}'
    --dataset results/datasets/dsb2018.h5 --output results/splits/dsb2018.csv
"""

import argparse
from pathlib import Path

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.datasets.split import split

    split(args.config["split"], args.dataset, args.output, args.list)


def arguments() -> argparse.ArgumentParser:
    """The step's command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--dataset", type=Path, required=True, metavar="H5", help="ingested dataset")
    parser.add_argument("--list", type=Path, nargs="?", metavar="CSV", help="list of a published split")
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="split to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
