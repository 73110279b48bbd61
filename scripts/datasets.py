"""Tables of a study's datasets, from the summaries of ingest: what each holds, beside two published tables.

The configuration slice names the study and its datasets, in the order of the summaries.
"""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Write the CSV of all counts and the Markdown page."""
    from karyobench import files
    from karyobench.reporting import dataset_views, datasets

    summaries = datasets.read(args.summaries, [record["name"] for record in args.config["datasets"]])
    files.write_text(args.csv, datasets.csv_text(summaries))
    shown = dataset_views.views(args.config, summaries)
    files.write_text(args.markdown, dataset_views.markdown(args.config["study"], shown))


def arguments() -> argparse.ArgumentParser:
    """Command line of the step."""
    parser = cli.parser(__doc__)
    parser.add_argument("--summaries", required=True, nargs="+", metavar="JSON", help="summary of each dataset")
    parser.add_argument("--csv", required=True, metavar="CSV", help="counts and sizes, measured and published")
    parser.add_argument("--markdown", required=True, metavar="MD", help="the tables for people")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
