"""Count, per image, how instance maps or classes agree with the truth: the sufficient counts of every score."""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Write one row of counts per truth image of the configured splits."""
    from karyobench.metrics.counts import write_counts
    from karyobench.metrics.evaluate import evaluate

    write_counts(args.output, evaluate(args.truth, args.split, args.merged, args.config))


def arguments() -> argparse.ArgumentParser:
    """Command line of the step."""
    parser = cli.parser(__doc__)
    parser.add_argument("--truth", required=True, metavar="H5", help="the dataset with its truth")
    parser.add_argument("--split", required=True, metavar="CSV", help="split of each image")
    parser.add_argument("--merged", required=True, metavar="H5", help="instance maps or class probabilities to score")
    parser.add_argument("--output", required=True, metavar="CSV", help="counts per image")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
