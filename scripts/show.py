"""Print leaderboards as tables, and where the study's site lies."""

import argparse
import sys
from pathlib import Path

from karyobench import cli
from karyobench.errors import KaryobenchError


def main(args: argparse.Namespace) -> None:
    """Print each leaderboard and the path of the site's front page."""
    from karyobench.reporting import terminal

    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    for path in args.leaderboards:
        table = terminal.read(path)
        print(f"\n{bold}{terminal.heading(path, table)}{plain}\n{terminal.measured(table)}")
        if published := terminal.published(table):
            print(f"\n{published}")
    index = Path(args.site, "index.html")
    if not index.is_file():
        raise KaryobenchError(f"{index}: no site there; run the study first")
    print(f"\n{bold}Site:{plain} {index.resolve()}")


def arguments() -> argparse.ArgumentParser:
    """Command line of the step; it reads tables alone and takes no configuration."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--leaderboards", required=True, nargs="+", metavar="CSV", help="leaderboards or summaries")
    parser.add_argument("--site", required=True, metavar="DIR", help="folder of the study's site")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
