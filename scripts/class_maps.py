"""Write the class map of each image as the improved AlexNet paper shows it: a PNG, 255 in nuclei and 0 elsewhere."""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Write the pictures."""
    from karyobench.reporting import class_maps

    class_maps.write(args.merged, args.output)


def arguments() -> argparse.ArgumentParser:
    """Command line; it takes no configuration."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--merged", required=True, metavar="H5", help="results/merged/EXPERIMENT/SEED/DATASET.h5")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of the pictures, one per image")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
