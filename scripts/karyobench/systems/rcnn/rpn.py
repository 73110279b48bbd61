"""The region proposal network: which anchors hold an object, and where it is (Ren et al., Faster R-CNN, 2015)."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from karyobench.systems.rcnn import boxes
from karyobench.systems.rcnn.nms import nms

_CONSIDERED = 6000
_NMS_THRESHOLD = 0.7
_LEAST_SIDE = 1.0


class RegionProposals(nn.Module):
    """One head for all levels: a shared 3x3 convolution, then two logits and four offsets per anchor."""

    def __init__(self, before: int, channels: int, ratios: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(before, channels, 3, padding=1)
        self.logits = nn.Conv2d(channels, 2 * ratios, 1)
        self.offsets = nn.Conv2d(channels, 4 * ratios, 1)

    def forward(self, levels: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (N, K, 2) for background and object, and offsets (N, K, 4), in the order of `anchors`."""
        shared = [functional.relu(self.shared(level)) for level in levels]
        return _by_anchor([self.logits(x) for x in shared], 2), _by_anchor([self.offsets(x) for x in shared], 4)


def _by_anchor(maps: Sequence[torch.Tensor], last: int) -> torch.Tensor:
    return torch.cat([x.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, last)) for x in maps], dim=1)


def proposals(
    logits: torch.Tensor, offsets: torch.Tensor, anchors: torch.Tensor, window: tuple[int, int], limit: int
) -> torch.Tensor:
    """Boxes (at most `limit`, 4) of one image that may hold an object, likeliest first.

    logits: (K, 2), offsets: (K, 4), anchors: (K, 4). window: height and width of what is image and not padding.
    The 6,000 likeliest are considered; of those that overlap by an IoU above 0.7, the likeliest stays.
    """
    score = logits[:, 1] - logits[:, 0]
    score, best = score.topk(min(_CONSIDERED, len(score)))
    found = boxes.clip(boxes.decode(offsets[best], anchors[best]), *window)
    large = (found[:, 2:] - found[:, :2] >= _LEAST_SIDE).all(dim=1)
    found, score = found[large], score[large]
    return found[nms(found, score, _NMS_THRESHOLD, limit)]
