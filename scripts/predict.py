"""Predict every tile of the images of chosen splits with one system.

The configuration slice is the system's record with "module", "network" and "predict", plus "splits" (whose images
to predict) and "threads". Example:
  python scripts/predict.py
    --config '{"module":"otsu","predict":{"tile":null,"channel":"auto"},"splits":["test"],"threads":1}'
    --images results/datasets/hgsc.h5 --split results/splits/hgsc.csv --output results/predictions/otsu/1/hgsc.h5
"""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.inference.predict import predict

    predict(args.config, args.images, args.split, args.weights, args.output)


def arguments() -> argparse.ArgumentParser:
    """The step's command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--images", required=True, metavar="H5", help="images, normalised or as ingested")
    parser.add_argument("--split", required=True, metavar="CSV", help="which image belongs to which split")
    parser.add_argument("--weights", nargs="?", metavar="FILE", help="safetensors of a trained system")
    parser.add_argument("--output", required=True, metavar="H5", help="tile predictions to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
