"""Draw images of a dataset before and after stain normalisation, with their stain vectors.

The slice: {"name": stain, "stain": the stain's record, "dataset": name}.
"""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.reporting import stain_figure

    stain_figure.write(args.before, args.after, args.output, args.config)


def arguments() -> argparse.ArgumentParser:
    """Command line of the step."""
    parser = cli.parser(__doc__)
    parser.add_argument("--before", required=True, metavar="H5", help="the dataset as ingested")
    parser.add_argument("--after", required=True, metavar="H5", help="the dataset as normalised")
    parser.add_argument("--output", required=True, metavar="SVG", help="the figure")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
