"""What a system module gives, and the tile that it is given.

A system is one module with these names:

TASK: one line, what the system is and the paper it follows. PAPER (the library's systems): authors, short title,
    venue and year, so far as they are known.
OUTPUT: `"maps"`, dense maps per tile, blended; `"instances"`, instance maps per tile, united across seams;
    `"classes"`, a probability per class of a tile, averaged.
TRAINED: whether there is a training stage.
KEYS: the keys of each section of its record, as `{"predict": ("tile",), ...}`: others are refused.
CONTEXT (optional): pixels before and after a tile that `predict` sees, default (0, 0); zeros outside the image.
CLASS_MAP (optional, of maps): True where map 0 is the probability of one of two classes of pixels; the workflow then
    draws the likelier class of each pixel.
USES_TRUTH (optional): True for the permanent fakes alone: tiles carry the truth.
predict(network, tile, config): maps (C, h, w), instances (h, w), or probabilities (C,) of `config["classes"]`, which
    sum to 1, of one tile. None leaves the image without a prediction.
instances(maps, config) (systems of maps): the instance map of a whole image.

What is trained has also:

FULL (the library's systems): what `build` reads for the paper's own network, as `{"network": {...}}`.
build(config): the network, a `torch.nn.Module`. What it freezes (`requires_grad` false, statistics too), no optimiser
    moves; such a network is trained only from given weights.
examples(batch, rng, config): inputs and targets of a `patches.batch.Batch`, any nests of tensors.
loss(outputs, targets, config): a scalar tensor; pixels of which the truth says nothing are left out.
measures(outputs, targets, config) (optional): further columns of the history, `{name: value}` of a batch, taken in
    validation and, as `train_name`, of each step.
adopt(network, tensors, config) (optional): fill the network from weights of another origin; absent: all must fit.
GRAPHS (optional): the network's methods that `predict` calls, tensors in and out, default `("forward",)`; an exported
    network has the same.

`TASK`, `TRAINED`, `KEYS` and `CLASS_MAP` are literals, since the workflow reads them without importing the module.
`config` is the system's whole record in `config.yaml`; each function reads its own key of it (`network`, `targets`,
`loss`, `predict`, `instances`).
"""

from dataclasses import dataclass

import numpy as np

from karyobench.patches.tiling import Box


@dataclass(frozen=True)
class Tile:
    """A rectangle of an image, as a system sees it.

    image: uint8 (h + before + after, w + before + after, 3), with the system's context on each side, zeros outside
    the image. box: rows r0:r1 and columns c0:c1 of the tile proper within the image. parent_box: where the image lies
    in its parent. image_type: he, fluorescence or brightfield. truth: for systems with USES_TRUTH int32
    instance map of the whole image, or the name of its class where OUTPUT is "classes"; else None.
    """

    image: np.ndarray
    image_id: str
    box: Box
    parent: str
    parent_box: Box
    image_type: str
    truth: np.ndarray | str | None = None

    def cut(self, whole: np.ndarray) -> np.ndarray:
        """The tile's part of a map (H, W) of the whole image."""
        r0, c0, r1, c1 = self.box
        return whole[r0:r1, c0:c1]
