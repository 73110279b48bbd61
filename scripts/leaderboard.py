"""Aggregate counts per image into a leaderboard: CSV per seed, summary CSV, Markdown and LaTeX."""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Write the four tables of one leaderboard."""
    from karyobench import files
    from karyobench.reporting import leaderboard, runs, tables

    board = runs.load(args.config, args.metrics, args.runs, args.dataset)
    summary, published = leaderboard.summary(board), leaderboard.published_rows(board)
    files.write_text(args.csv, leaderboard.csv_text(leaderboard.measured(board)))
    files.write_text(args.summary, leaderboard.csv_text(summary, published))
    files.write_text(args.markdown, tables.markdown(board, summary, published))
    files.write_text(args.latex, tables.latex(board, summary, published))


def arguments() -> argparse.ArgumentParser:
    """Command line of the step."""
    parser = cli.parser(__doc__)
    parser.add_argument("--metrics", required=True, nargs="+", metavar="CSV", help="counts per image of each row")
    parser.add_argument("--runs", default=[], nargs="*", metavar="JSON", help="run record of each trained row")
    parser.add_argument("--dataset", required=True, metavar="H5", help="the dataset that was scored")
    parser.add_argument("--csv", required=True, metavar="CSV", help="scores per experiment and seed")
    parser.add_argument("--summary", required=True, metavar="CSV", help="scores per experiment, then published rows")
    parser.add_argument("--markdown", required=True, metavar="MD", help="the table for people")
    parser.add_argument("--latex", required=True, metavar="TEX", help="the table for papers")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
