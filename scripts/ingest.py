"""Turn the raw files of a dataset into one HDF5 file: images, instance maps, attributes.

The configuration slice is the dataset's record with its name under "dataset". Example:
  python scripts/ingest.py --config '{"dataset":"dsb2018","reader":"dsb2018","image_type":"kmeans","truth":"manual"}'
    --receipt resources/raw/dsb2018/source.json --output results/datasets/dsb2018.h5
    --summary results/datasets/dsb2018.json
"""

import argparse
from pathlib import Path

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.datasets.ingest import ingest

    ingest(args.config, args.receipt, args.output, args.summary)


def arguments() -> argparse.ArgumentParser:
    """The step's command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--receipt", type=Path, required=True, metavar="JSON", help="receipt of the download")
    parser.add_argument("--output", type=Path, required=True, metavar="H5", help="dataset to write")
    parser.add_argument("--summary", type=Path, required=True, metavar="JSON", help="counts and findings to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
