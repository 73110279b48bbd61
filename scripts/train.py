"""Train one experiment under one seed.

The configuration slice is the system's record with "module", "network", "targets", "loss" and "train", plus
"experiment", "seed", "threads", "budget" ({steps} or {epochs}, and max_steps), and for the model card "initial" (what
training starts from) and "data". A run that was stopped goes on from its checkpoint when it is started again with the
same slice, code, patches and initial weights. With train.ranks above 1 it starts as many processes, each of which
computes an equal share of every batch, with "threads" threads. Example:
  python scripts/train.py
    --config '{"module":"unet3","network":{"width":16,"depth":4},"targets":{"boundary":1},
      "loss":{"class_weights":[1,1,2]},"train":{"batch":6,"optimizer":"adam","learning_rate":0.003,
      "momentum":0,"schedule":"cosine","weight_decay":0,"clip":null,"ema":null,"precision":"bf16-mixed","ranks":1,
      "validate_every":50,"checkpoint_every":50,
      "augment":{"flips":true,"rotations":true,"jitter":0.1}},
      "budget":{"steps":300},"experiment":"unet3-hgsc","seed":1,"threads":2,"initial":"scratch",
      "data":{}}'
    --patches results/patches/hgsc-160.h5 --fingerprint code:0 --checkpoints results/checkpoints/unet3-hgsc/1
    --weights weights.safetensors --history history.csv --run run.json --card card.md --curve curve.svg
"""

import argparse
from pathlib import Path

from karyobench import cli
from karyobench.training import ranks


def main(args: argparse.Namespace) -> None:
    """Run the step."""
    if ranks.launch(args.config["train"]["ranks"], args.config["threads"], args.launcher, args.ranks_per_node):
        return
    from karyobench.training.loop import train
    from karyobench.training.record import Outputs

    outputs = Outputs(args.weights, args.history, args.run, args.card, args.curve)
    train(args.patches, args.config, outputs, args.checkpoints, args.fingerprint, args.init)


def arguments() -> argparse.ArgumentParser:
    """The step's command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--patches", required=True, metavar="H5", help="training and validation patches")
    parser.add_argument("--init", nargs="?", metavar="FILE", help="safetensors to start from")
    parser.add_argument("--fingerprint", required=True, metavar="TEXT", help="of the code, kept with checkpoints")
    parser.add_argument("--checkpoints", required=True, type=Path, metavar="DIR", help="for resuming; gone at the end")
    parser.add_argument("--launcher", choices=ranks.LAUNCHERS, default="local", help="of train.ranks above 1")
    parser.add_argument("--ranks-per-node", type=int, metavar="N", help="in a SLURM job; default: all on one node")
    parser.add_argument("--weights", required=True, type=Path, metavar="FILE", help="safetensors to write")
    parser.add_argument("--history", required=True, type=Path, metavar="CSV", help="losses and measures to write")
    parser.add_argument("--run", required=True, type=Path, metavar="JSON", help="run record to write")
    parser.add_argument("--card", required=True, type=Path, metavar="MD", help="model card to write")
    parser.add_argument("--curve", required=True, type=Path, metavar="SVG", help="the card's figure to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments())
