"""Build the static site of a study: tables, figures, gallery, and a page per experiment."""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Write the site of the study that the configuration slice describes, with the paths of its files."""
    from karyobench.reporting.site import build

    build(args.config, args.output)


def arguments() -> argparse.ArgumentParser:
    """Command line of the step."""
    parser = cli.parser(__doc__)
    parser.add_argument("--output", required=True, metavar="DIR", help="the site; an earlier one is replaced")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
