"""Draw the class map of each predicted image: a PNG, 255 where nucleus is the likelier class and 0 elsewhere."""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.reporting import class_maps

    class_maps.write(args.predictions, args.output)


def arguments() -> argparse.ArgumentParser:
    """Command line of the step; it takes no configuration."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--predictions", required=True, metavar="H5", help="what predict wrote, of dense maps")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of the pictures, one per image")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
