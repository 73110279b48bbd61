"""Boxes: their overlap, their coding as offsets from a reference box, their clipping."""

import torch

# A coded offset of 1 is a tenth of the reference's side for the centre, a fifth for the logarithms of the sides.
_UNITS = (0.1, 0.1, 0.2, 0.2)
_LARGEST_GROWTH = 4.0


def iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union (A, B) of boxes (A, 4) and (B, 4); 0 where neither has an area."""
    shared = _shared(a, b, 0) * _shared(a, b, 1)
    return shared / (area(a)[:, None] + area(b) - shared).clamp(min=1e-6)


def _shared(a: torch.Tensor, b: torch.Tensor, axis: int) -> torch.Tensor:
    """Length (A, B) of what boxes have in common on an axis."""
    high = torch.minimum(a[:, axis + 2, None], b[:, axis + 2])
    return (high - torch.maximum(a[:, axis, None], b[:, axis])).clamp(min=0)


def area(boxes: torch.Tensor) -> torch.Tensor:
    """Area (N,) in pixels of boxes (N, 4)."""
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)


def encode(boxes: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Offsets (N, 4) that lead from references (N, 4) to boxes (N, 4), both with an area.

    Shift of the centre (row, column) in sides of the reference, and logarithm of the ratio of the sides, each in its
    unit (Girshick et al., R-CNN, CVPR 2014, appendix C).
    """
    (centre, sides), (centre0, sides0) = _centred(boxes), _centred(references)
    return torch.cat([(centre - centre0) / sides0, (sides / sides0).log()], dim=1) / boxes.new_tensor(_UNITS)


def decode(offsets: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Boxes (N, 4) at the offsets (N, 4) from references (N, 4); the inverse of `encode`.

    A side grows at most e^4-fold: an untrained network's offsets must not overflow.
    """
    shift, growth = (offsets * offsets.new_tensor(_UNITS)).split(2, dim=1)
    centre, sides = _centred(references)
    centre, half = centre + shift * sides, sides * growth.clamp(max=_LARGEST_GROWTH).exp() / 2
    return torch.cat([centre - half, centre + half], dim=1)


def clip(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Boxes (N, 4) cut at the borders of an image."""
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([height, width, height, width]))


def _centred(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    low, high = boxes.split(2, dim=1)
    return (low + high) / 2, high - low
