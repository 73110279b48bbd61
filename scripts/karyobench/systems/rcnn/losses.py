"""What Mask R-CNN is taught by."""

from typing import Any

import torch
from torch.nn import functional

from karyobench.systems.rcnn.network import Outputs


def loss(outputs: Outputs, targets: tuple[()], config: dict[str, Any]) -> torch.Tensor:
    """Sum of the five losses of Mask R-CNN, and of that of the foretold overlaps where there are some; all weigh 1."""
    return torch.stack(list(_losses(outputs).values())).sum()


def measures(outputs: Outputs, targets: tuple[()], config: dict[str, Any]) -> dict[str, float]:
    """The losses by name."""
    return {name: value.item() for name, value in _losses(outputs).items()}


def _losses(o: Outputs) -> dict[str, torch.Tensor]:
    losses = {
        "anchor_class_loss": functional.cross_entropy(o.anchor_logits, o.anchor_classes, reduction="none"),
        "anchor_box_loss": functional.smooth_l1_loss(o.anchor_offsets, o.anchor_wanted, reduction="none"),
        "class_loss": functional.cross_entropy(o.box_logits, o.box_classes, reduction="none"),
        "box_loss": functional.smooth_l1_loss(o.box_offsets, o.box_wanted, reduction="none"),
        "mask_loss": functional.binary_cross_entropy_with_logits(o.mask_logits, o.masks, reduction="none"),
    }
    if o.overlaps is not None:
        losses["overlap_loss"] = functional.mse_loss(o.overlaps, o.overlaps_wanted, reduction="none")
    return {name: _mean(values) for name, values in losses.items()}


def _mean(values: torch.Tensor) -> torch.Tensor:
    """Mean, and 0 with a gradient of 0 where there are no values: a batch without nuclei."""
    return values.sum() / max(1, values.numel())
