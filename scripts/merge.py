"""Make one instance map, or one probability per class, of each image from the predictions of its tiles.

The configuration slice is the system's "module" and "instances". Example:
  python scripts/merge.py --config '{"module":"oracle_truth","instances":{"min_edge":3}}'
    --predictions results/predictions/truth/1/hgsc.h5 --output results/merged/truth/1/hgsc.h5
"""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.inference.merge import merge

    merge(args.config, args.predictions, args.output)


def arguments() -> argparse.ArgumentParser:
    """The step's command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--predictions", required=True, metavar="H5", help="tile predictions of one system")
    parser.add_argument("--output", required=True, metavar="H5", help="instance maps or probabilities to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
