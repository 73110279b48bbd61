"""Which anchors and which boxes a training step learns from, and what they should have given."""

from typing import NamedTuple

import torch

from karyobench.systems.rcnn.boxes import area, encode, iou

_ANCHOR_POSITIVE, _ANCHOR_NEGATIVE = 0.7, 0.3
_BOX_POSITIVE = 0.5


class Truth(NamedTuple):
    """Nuclei of a batch, at the scale of the network's input.

    boxes: float32 (N, G, 4) and labels: int64 (N, G), padded with label 0. instances: int64 (N, H, W), in which the
    labels are found. ignore: bool (N, H, W), True where the truth says nothing.
    """

    boxes: torch.Tensor
    labels: torch.Tensor
    instances: torch.Tensor
    ignore: torch.Tensor

    def of(self, image: int) -> "Truth":
        """Nuclei of one image: boxes (g, 4), labels (g,), maps (H, W)."""
        real = self.labels[image] > 0
        return Truth(self.boxes[image][real], self.labels[image][real], self.instances[image], self.ignore[image])


class Sample(NamedTuple):
    """Drawn boxes, those that hold a nucleus first.

    boxes: (n, 4). places: int64 (n,), where they were among the candidates. classes: int64 (n,), 1 for nuclei.
    offsets: (p, 4) and labels: int64 (p,), of the nuclei that the first p boxes hold.
    """

    boxes: torch.Tensor
    places: torch.Tensor
    classes: torch.Tensor
    offsets: torch.Tensor
    labels: torch.Tensor


def sample_anchors(anchors: torch.Tensor, truth: Truth, count: int) -> Sample:
    """At most `count` anchors (K, 4) of one image, up to half of them positive (Ren et al., section 3.1.2).

    Positive: IoU of 0.7 with a nucleus, or the best anchor of one that any overlaps. Negative: IoU below 0.3 with all.
    """
    overlaps = iou(anchors, truth.boxes)
    best = _best(overlaps)
    positive = best >= _ANCHOR_POSITIVE
    if overlaps.shape[1]:
        nearest = overlaps.argmax(dim=0)
        positive[nearest[overlaps.gather(0, nearest[None])[0] > 0]] = True
    negative = ~positive & (best < _ANCHOR_NEGATIVE) & ~_ignored(anchors, truth)
    return _sample(anchors, overlaps, truth, positive, negative, count // 2, count)


def sample_boxes(proposals: torch.Tensor, truth: Truth, count: int, positives: float) -> Sample:
    """At most `count` boxes of one image for the heads, up to a fraction of them positive: IoU of 0.5 with a nucleus.

    Drawn from the proposals (K, 4) and the nuclei's own boxes, without which an untrained network has no positives.
    """
    candidates = torch.cat([proposals, truth.boxes])
    overlaps = iou(candidates, truth.boxes)
    positive = _best(overlaps) >= _BOX_POSITIVE
    negative = ~positive & ~_ignored(candidates, truth)
    return _sample(candidates, overlaps, truth, positive, negative, int(count * positives), count)


def mask_targets(instances: torch.Tensor, boxes: torch.Tensor, labels: torch.Tensor, side: int) -> torch.Tensor:
    """Masks float32 (P, side, side), 0 or 1, of nuclei within boxes (P, 4), sampled in the middle of each cell.

    instances: int64 (H, W). labels: int64 (P,). A cell is nucleus where the nucleus's indicator, interpolated
    bilinearly between pixels, is at least one half.
    """
    steps = (torch.arange(side, device=boxes.device) + 0.5) / side
    rows, columns = (boxes[:, [a]] + (boxes[:, [a + 2]] - boxes[:, [a]]) * steps - 0.5 for a in (0, 1))
    total = boxes.new_zeros(len(boxes), side, side)
    for r, row_weight in _neighbours(rows, instances.shape[0]):
        for c, column_weight in _neighbours(columns, instances.shape[1]):
            own = instances[r[:, :, None], c[:, None, :]] == labels[:, None, None]
            total += own * row_weight[:, :, None] * column_weight[:, None, :]
    return (total >= 0.5).float()


def areas(instances: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Pixels (P,) of the nuclei with these labels (P,) in a map int64 (H, W)."""
    return torch.bincount(instances.flatten(), minlength=1)[labels]


def overlaps(found: torch.Tensor, wanted: torch.Tensor, boxes: torch.Tensor, areas: torch.Tensor) -> torch.Tensor:
    """IoU (P,) of masks bool (P, m, m) with nuclei of whom `wanted` is the part within the boxes (P, 4).

    areas: pixels (P,) of the whole nuclei, so that a mask cannot fit whose box is too small.
    """
    cells = found[0].numel() / area(boxes).clamp(min=1) if len(found) else boxes[:, 0]
    shared = (found & wanted).sum(dim=(1, 2))
    whole = torch.maximum(areas * cells, wanted.sum(dim=(1, 2)).to(cells.dtype))
    return shared / (found.sum(dim=(1, 2)) + whole - shared).clamp(min=1)


def _neighbours(places: torch.Tensor, length: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    low = places.floor()
    share = places - low
    first = low.long()
    return [(first.clamp(0, length - 1), 1 - share), ((first + 1).clamp(0, length - 1), share)]


def _best(overlaps: torch.Tensor) -> torch.Tensor:
    return overlaps.amax(dim=1) if overlaps.shape[1] else overlaps.new_zeros(len(overlaps))


def _ignored(boxes: torch.Tensor, truth: Truth) -> torch.Tensor:
    """Whether the middle of each box lies where the truth says nothing."""
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2).long()
    height, width = truth.ignore.shape
    return truth.ignore[middle[:, 0].clamp(0, height - 1), middle[:, 1].clamp(0, width - 1)]


def _sample(
    candidates: torch.Tensor,
    overlaps: torch.Tensor,
    truth: Truth,
    positive: torch.Tensor,
    negative: torch.Tensor,
    most: int,
    count: int,
) -> Sample:
    first = _draw(positive, most)
    places = torch.cat([first, _draw(negative, count - len(first))])
    boxes = candidates[places]
    classes = (torch.arange(len(places), device=places.device) < len(first)).long()
    nuclei = overlaps[first].argmax(dim=1) if len(first) else first
    offsets = encode(truth.boxes[nuclei], boxes[: len(first)])
    return Sample(boxes, places, classes, offsets, truth.labels[nuclei])


def _draw(wanted: torch.Tensor, count: int) -> torch.Tensor:
    """At most `count` places int64 where the mask is true, by torch's own generator, which the seed of a step sets."""
    places = wanted.nonzero()[:, 0]
    return places[torch.randperm(len(places), device=places.device)[:count]]
