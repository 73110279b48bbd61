"""RoIAlign: features of fixed size from boxes of any size (He et al., Mask R-CNN, ICCV 2017)."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from karyobench.systems.rcnn.backbone import FINEST
from karyobench.systems.rcnn.boxes import area

_CANONICAL_SIDE = 224  # pixels, of ImageNet: a box of this side belongs to the third level (FPN, equation 1; rounded)
_CANONICAL_LEVEL = 2


def roi_align(features: torch.Tensor, boxes: torch.Tensor, stride: int, size: int, samples: int = 2) -> torch.Tensor:
    """Features (R, C, size, size) of boxes (R, 4) on one image's map (C, H, W) of this stride.

    Each bin is the mean of samples x samples points spread evenly over it, each interpolated bilinearly between the
    middles of the map's cells, constant beyond the outermost ones. The gradient reaches the map, not the boxes.
    """
    if not len(boxes):
        return features.new_zeros(0, len(features), size, size)
    across = (torch.arange(size * samples, device=boxes.device) + 0.5) / (size * samples)
    rows = boxes[:, :1] + (boxes[:, 2:3] - boxes[:, :1]) * across
    columns = boxes[:, 1:2] + (boxes[:, 3:] - boxes[:, 1:2]) * across
    height, width = (side * stride for side in features.shape[1:])
    x, y = columns / width * 2 - 1, rows / height * 2 - 1
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=-1).flatten(0, 1)
    # Places in half precision would be off by pixels, so the map takes the boxes' type.
    maps = features[None].to(grid.dtype)
    points = functional.grid_sample(maps, grid[None], padding_mode="border", align_corners=False)
    bins = points[0].unflatten(1, (len(boxes), size * samples)).transpose(0, 1)
    return functional.avg_pool2d(bins, samples)


def level_of(boxes: torch.Tensor, levels: int) -> torch.Tensor:
    """Level int64 (R,) of the pyramid, 0 the finest, that boxes (R, 4) take their features from."""
    exact = _CANONICAL_LEVEL + (area(boxes).clamp(min=1).sqrt() / _CANONICAL_SIDE).log2()
    return exact.round().long().clamp(0, levels - 1)


def pyramid_align(
    pyramid: Sequence[torch.Tensor], boxes: torch.Tensor, images: torch.Tensor, size: int
) -> torch.Tensor:
    """Features (R, C, size, size) of boxes (R, 4), each from its level of its image's pyramid.

    pyramid: maps (N, C, H, W), finest first, each of half the resolution. images: int64 (R,), the image of each box.
    """
    level = level_of(boxes, len(pyramid))
    parts, places = [pyramid[0].new_zeros(0, pyramid[0].shape[1], size, size)], []
    for number, maps in enumerate(pyramid):
        for image, features in enumerate(maps):
            chosen = ((level == number) & (images == image)).nonzero()[:, 0]
            parts.append(roi_align(features, boxes[chosen], FINEST * 2**number, size))
            places.append(chosen)
    return torch.cat(parts)[torch.cat(places).argsort()]
