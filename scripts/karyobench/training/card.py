"""The model card: what the weights are, what they come from, how good they were on the validation patches."""

from typing import Any

from karyobench import files
from karyobench.systems.overview import size

_SECTIONS = ("network", "targets", "loss")


def card(task: str, run: dict[str, Any], curve: str) -> str:
    """Model card in Markdown. run: the run record. curve: name of the figure beside the card."""
    rows = {**_data(run), **_system(run), **_training(run), **_scores(run)}
    lines = [
        f"# {run['experiment']}, seed {run['seed']}",
        "",
        f"{task}. Parameters: {size(run['parameters'], run['trainable'])}.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
        f"![Loss and measures against steps]({curve})",
        "",
        "Scores on test images are not known to the training; they stand in the leaderboards that list the experiment "
        "(`results/leaderboards/`).",
        "",
        "For research: comparisons between methods, not diagnosis. The weights know only the stain, the scale and the "
        "tissue of the data above. The whole configuration and the code's fingerprint stand in `run.json` beside this "
        "card, losses and measures of all steps in `history.csv`.",
        "",
    ]
    return "\n".join(lines)


def _data(run: dict[str, Any]) -> dict[str, str]:
    told = {f"data: {key}": files.canonical(value) for key, value in sorted(run["config"]["data"].items())}
    return {**told, "patch file, sha256": f"`{run['patches_sha256']}`"}


def _system(run: dict[str, Any]) -> dict[str, str]:
    return {name: files.canonical(run["config"][name]) for name in _SECTIONS if name in run["config"]}


def _training(run: dict[str, Any]) -> dict[str, str]:
    settings, ranks = run["config"]["train"], f" on {run['ranks']} ranks" if run["ranks"] > 1 else ""
    of = f" of {run['planned_steps']} (`max_steps`)" if run["steps"] < run["planned_steps"] else ""
    sha256 = f", sha256 `{run['initial_sha256']}`" if run["initial_sha256"] else ""
    return {
        "initial weights": f"{run['initial']}{sha256}",
        "budget": f"{run['steps']} steps{of} of {settings['batch']} patches{ranks}",
        "training": files.canonical({key: value for key, value in settings.items() if key != "augment"}),
        "augmentation": files.canonical(settings["augment"]),
        "trained on": f"{run['device']}, {run['precision']}, {run['minutes']:.1f} minutes",
        "software": ", ".join(f"{name} {number}" for name, number in sorted(run["software"].items())),
    }


def _scores(run: dict[str, Any]) -> dict[str, str]:
    kept = {"weights kept": f"step {run['kept_step']} ({run['kept']})"}
    if run["val_loss"] is None:
        return kept
    measures = {f"validation: {name}": f"{value:.4g}" for name, value in sorted(run["measures"].items())}
    return {**kept, "validation: loss": f"{run['val_loss']:.4g}", **measures}
