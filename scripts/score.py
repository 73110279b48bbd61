"""Score predicted label images against the truth by every metric.

A label image holds 0 for background and one positive integer per object: TIFF, PNG, NPY, or NPZ with one array.

  python scripts/score.py truth.tif prediction.png      two label images
  python scripts/score.py truths/ predictions/          two folders, matched by file name without suffix
  python scripts/score.py truths/ predictions/ --json   for programs: {"metrics": {...}, "images": [{...}, ...]}

Several images: a score is the mean over images. Rules, variants and edge cases: docs/metrics.md.
"""

import argparse
import json
from pathlib import Path

from karyobench import cli


def main(args: argparse.Namespace) -> None:
    """Print the scores of the pair or pairs."""
    from karyobench.metrics import scoring
    from karyobench.metrics.label_files import paired

    metrics = scoring.DEFAULT | {"f1_threshold": args.threshold}
    scores, images = scoring.score(paired(args.truth, args.prediction), metrics)
    if args.json:
        print(json.dumps(scoring.plain({"metrics": scores, "images": images}), indent=2, allow_nan=False))
    else:
        print(scoring.table(scores, images, metrics))


def arguments() -> argparse.ArgumentParser:
    """Command line of the program; it is for everyone and takes no configuration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="label image, or folder of label images")
    parser.add_argument("prediction", type=Path, metavar="PREDICTION", help="the same, of what is to be scored")
    parser.add_argument(
        "--threshold", type=float, default=0.5, metavar="IOU", help="of f1, object_precision and object_recall; above 0"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
