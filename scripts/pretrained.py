"""Fetch weights that were trained elsewhere, and write them as safetensors.

The configuration slice is {"pretrained": name, "source", "format"} and "input" where the weights expect another input
than our networks are given: {"channels": "bgr", "mean": [b, g, r], "std": [b, g, r]} in grey levels. The source is one
as of scripts/download.py, of one file; "format" is safetensors, torch (a state dict), or onnx (its convolutions). An
interrupted transfer is resumed by the same command. Example:
  python scripts/pretrained.py --config '{"pretrained":"mine","format":"torch","source":{"local":"/data/vgg16.pth"}}'
    --mirror '' --partial resources/partial/pretrained/mine --receipt resources/pretrained/mine/source.json
    --output results/pretrained/mine.safetensors
"""

import argparse
from pathlib import Path

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    from karyobench.systems.pretrained.fetch import fetch

    fetch(args.config, args.mirror, args.partial, args.receipt, args.output)


def arguments() -> argparse.ArgumentParser:
    """The step's command line."""
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--mirror", nargs="?", default="", metavar="DIR", help="directory with a MANIFEST.csv, tried first"
    )
    parser.add_argument("--partial", type=Path, required=True, metavar="DIR", help="where unfinished transfers wait")
    parser.add_argument("--receipt", type=Path, required=True, metavar="JSON", help="to write beside the fetched file")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="safetensors to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
