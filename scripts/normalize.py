"""Normalise the stains of a dataset's H&E images to a reference image.

The slice: {"name": stain, "stain": {"method", its parameters, "reference": {"dataset", "choose": "median" | "image"}}}.
"""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.stain.normalize import normalize

    normalize(args.dataset, args.reference, args.reference_split, args.output, args.config)


def arguments() -> argparse.ArgumentParser:
    """Command line of the step."""
    parser = cli.parser(__doc__)
    parser.add_argument("--dataset", required=True, metavar="H5", help="ingested dataset to normalise")
    parser.add_argument(
        "--reference", required=True, metavar="H5", help="ingested dataset that holds the reference image"
    )
    parser.add_argument("--reference-split", required=True, metavar="CSV", help="split of the reference dataset")
    parser.add_argument("--output", required=True, metavar="H5", help="the normalised dataset")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
