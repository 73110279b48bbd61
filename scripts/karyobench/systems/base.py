"""What a system module gives, and the tile that it is given.

A system is one module with these names (only those that its kind needs):

| name | for | meaning |
|---|---|---|
| `TASK` | all | one line: what the system is and the paper it follows |
| `OUTPUT` | all | `"maps"`: dense maps per tile, blended; `"instances"`: instance maps per tile, united across seams |
| `TRAINED` | all | whether there is a training stage |
| `KEYS` | all | the keys of each section of its record, as `{"predict": ("tile",), ...}`: others are refused |
| `CONTEXT` | optional | pixels before and after a tile that `predict` sees, default (0, 0); zeros outside the image |
| `USES_TRUTH` | optional | True for the permanent fakes alone: tiles carry the truth |
| `build(config)` | trained | the network, a `torch.nn.Module` |
| `examples(images, instances, rng, config)` | trained | inputs and targets of one batch of patches |
| `loss(outputs, targets, config)` | trained | a scalar tensor |
| `predict(network, tile, config)` | all | maps or instances of one tile; None leaves the image without a prediction |
| `instances(maps, config)` | maps | instance map of a whole image |

`TASK`, `TRAINED` and `KEYS` are literals, since the workflow reads them without importing the module.
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
    in its parent. image_type: he, fluorescence or brightfield. truth: int32 instance map of the whole image, for
    systems with USES_TRUTH, else None.
    """

    image: np.ndarray
    image_id: str
    box: Box
    parent: str
    parent_box: Box
    image_type: str
    truth: np.ndarray | None = None

    def cut(self, whole: np.ndarray) -> np.ndarray:
        """The tile's part of a map (H, W) of the whole image."""
        r0, c0, r1, c1 = self.box
        return whole[r0:r1, c0:c1]
