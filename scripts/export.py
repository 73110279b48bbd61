"""Export a trained network to the runtime that predicts with it.

The configuration slice is the system's record with "module", "network" and "predict", whose "runtime" says in which
precision, plus "threads". Example:
  python scripts/export.py
    --config '{"module":"unet3","network":{"width":16,"depth":3},
      "predict":{"tile":512,"overlap":64,"runtime":{"name":"openvino","precision":"bfloat16"}},"threads":2}'
    --weights results/models/unet3-hgsc/1/weights.safetensors --patches results/patches/hgsc-160.h5
    --output results/exported/unet3-hgsc/1/network.zip
"""

import argparse

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.inference.export import export

    export(args.config, args.weights, args.patches, args.output)


def arguments() -> argparse.ArgumentParser:
    """The step's command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--weights", required=True, metavar="FILE", help="safetensors of the trained system")
    parser.add_argument("--patches", required=True, metavar="H5", help="patches that it was trained on")
    parser.add_argument("--output", required=True, metavar="ZIP", help="exported network to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
