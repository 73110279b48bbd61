"""Aggregate counts per image into a leaderboard: tables as CSV, Markdown and LaTeX, and the picture of its ranking."""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Write the files of one leaderboard."""
    from karyobench import files
    from karyobench.reporting import outputs, runs

    board = runs.load(args.config, args.metrics, args.runs, args.dataset)
    for kind, text in outputs.texts(board).items():
        files.write_text(getattr(args, kind), text)


def arguments() -> argparse.ArgumentParser:
    """Command line of the step."""
    parser = cli.parser(__doc__)
    parser.add_argument("--metrics", required=True, nargs="+", metavar="CSV", help="counts per image of each row")
    parser.add_argument("--runs", default=[], nargs="*", metavar="JSON", help="run record of each trained row")
    parser.add_argument("--dataset", required=True, metavar="H5", help="the dataset that was scored")
    parser.add_argument("--csv", required=True, metavar="CSV", help="scores per experiment and seed")
    parser.add_argument("--summary", required=True, metavar="CSV", help="scores per experiment, then published rows")
    parser.add_argument("--strata", required=True, metavar="CSV", help="scores by organ, patient, size, density, ...")
    parser.add_argument("--pairs", required=True, metavar="CSV", help="differences between every two experiments")
    parser.add_argument("--reproduction", required=True, metavar="CSV", help="published figures beside measured ones")
    parser.add_argument("--ranks", required=True, metavar="SVG", help="ranks with their intervals, as a picture")
    parser.add_argument("--markdown", required=True, metavar="MD", help="the table for people")
    parser.add_argument("--latex", required=True, metavar="TEX", help="the table for papers")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
