"""Non-maximum suppression: of boxes that overlap, the one with the highest score stays."""

import torch

from karyobench.systems.rcnn.boxes import iou

_BLOCK = 512


def nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float, limit: int) -> torch.Tensor:
    """Places int64 (at most `limit`,) of the boxes that stay, by descending score; ties keep their order.

    boxes: (N, 4). scores: (N,). A box goes when its IoU with a better one that stays is above `threshold`. Boxes are
    taken in blocks, so that the table of overlaps stays small and the work ends when `limit` boxes are found.
    """
    order = scores.argsort(descending=True, stable=True)
    kept = order[:0]
    for places in order.split(_BLOCK):
        if len(kept) >= limit:
            break
        block = boxes[places]
        free = ~(iou(block, boxes[kept]) > threshold).any(dim=1)
        kept = torch.cat([kept, places[_greedy(iou(block, block) > threshold, free)]])
    return kept[:limit]


def _greedy(overlaps: torch.Tensor, free: torch.Tensor) -> torch.Tensor:
    """Which of the free boxes stay, bool (N,), given which overlap (N, N), best first.

    Each round settles at least one more box for good, mostly nearly all, and the state that a round does not change
    is the greedy choice.
    """
    better = overlaps.triu(diagonal=1)
    stays = free
    while True:
        after = free & ~(better & stays[:, None]).any(dim=0)
        if torch.equal(after, stays):
            return stays
        stays = after
