"""Cut training and validation patches and pack them into one file.

The slice: {"name": patch set, "patches": {"train", "tile", "crop", "crops_per_tile", "val_crops", "oversample",
"codec", "seed"}}, where "train" lists the datasets.
"""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.patches.pack import pack

    pack(args.images, args.splits, args.output, args.config)


def arguments() -> argparse.ArgumentParser:
    """Command line of the step."""
    parser = cli.parser(__doc__)
    parser.add_argument("--images", required=True, nargs="+", metavar="H5", help="datasets, in the order of `train`")
    parser.add_argument("--splits", required=True, nargs="+", metavar="CSV", help="their splits, in the same order")
    parser.add_argument("--output", required=True, metavar="H5", help="the patch set")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
