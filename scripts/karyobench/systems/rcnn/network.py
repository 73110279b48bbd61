"""Mask R-CNN (He et al., ICCV 2017): the network, and what it gives while it is trained."""

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from karyobench.errors import KaryobenchError
from karyobench.systems.rcnn import sampling
from karyobench.systems.rcnn.anchors import anchors
from karyobench.systems.rcnn.backbone import FINEST, Pyramid, ResNet, initialise, norm_of
from karyobench.systems.rcnn.heads import BOX_POOL, MASK_POOL, MASK_SIDE, BoxHead, MaskHead, OverlapHead
from karyobench.systems.rcnn.roi_align import pyramid_align
from karyobench.systems.rcnn.rpn import RegionProposals, proposals

_PREDICTOR_STD = 0.01


class Outputs(NamedTuple):
    """What a step's five losses compare, for the drawn anchors and boxes of all images of a batch.

    Logits (n, 2) beside classes int64 (n,), of anchors and of boxes; offsets (p, 4) beside the wanted ones, of the
    positive of each; mask logits (p, 28, 28) beside masks of 0 and 1; the foretold IoU (p,) of the masks beside the
    true one, None where masks are not scored.
    """

    anchor_logits: torch.Tensor
    anchor_classes: torch.Tensor
    anchor_offsets: torch.Tensor
    anchor_wanted: torch.Tensor
    box_logits: torch.Tensor
    box_classes: torch.Tensor
    box_offsets: torch.Tensor
    box_wanted: torch.Tensor
    mask_logits: torch.Tensor
    masks: torch.Tensor
    overlaps: torch.Tensor | None
    overlaps_wanted: torch.Tensor | None


def padded(images: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """Images (N, 3, H, W) with zeros below and to the right, up to sides that the pyramid can halve.

    settings: the `network` section.
    """
    multiple = FINEST * 2 ** (len(settings["blocks"]) - 1)
    return functional.pad(images, (0, -images.shape[3] % multiple, 0, -images.shape[2] % multiple))


def anchors_of(images: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """Anchors (K, 4) of padded images (N, 3, H, W), in the order of the trunk's outputs."""
    strides = [FINEST * 2**level for level in range(len(settings["sides"]))]
    return anchors(*images.shape[2:], strides, settings["sides"], settings["ratios"]).to(images.device)


class MaskRCNN(nn.Module):
    """ResNet with a feature pyramid, region proposals, and a head for boxes and one for masks.

    settings: `blocks` and `width` of the ResNet; `pyramid`, `rpn` and `hidden` channels of pyramid and mask head,
    proposals and box head; `norm`; `sides` of the anchors, one per level of the pyramid, which has one level more
    than the ResNet has stages; their `ratios`. targets: how many `anchors` and `boxes` of an image are learnt from,
    the fraction of `positives` among the boxes, and from how many `proposals` they are drawn. scoring: whether a
    third head foretells how well each mask fits.
    """

    def __init__(self, settings: dict[str, Any], targets: dict[str, Any] | None, scoring: bool = False) -> None:
        super().__init__()
        blocks, channels, norm = settings["blocks"], settings["pyramid"], norm_of(settings["norm"])
        if len(settings["sides"]) != len(blocks) + 1:
            raise KaryobenchError(
                f"network.sides: {len(settings['sides'])} sides of anchors for the {len(blocks) + 1} levels that "
                f"{len(blocks)} stages give; name one per level"
            )
        self.settings, self.targets = settings, targets
        self.backbone = ResNet(blocks, settings["width"], norm)
        self.pyramid = Pyramid(self.backbone.channels, channels)
        self.rpn = RegionProposals(channels, settings["rpn"], len(settings["ratios"]))
        self.box_head = BoxHead(channels, settings["hidden"], norm)
        self.mask_head = MaskHead(channels, norm)
        self.overlap_head = OverlapHead(channels, settings["hidden"]) if scoring else None
        initialise(self)
        for head in (self.rpn, self.box_head, self.mask_head):
            _start_undecided(head)

    def trunk(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Levels of the pyramid but the last, finest first, then logits (N, K, 2) and offsets (N, K, 4) of anchors.

        images: (N, 3, H, W); H and W are multiples of the coarsest stage's stride (see `padded`). The last level
        serves proposals alone.
        """
        levels = self.pyramid(self.backbone(images))
        return *levels, *self.rpn([*levels, levels[-1][:, :, ::2, ::2]])

    def forward(self, inputs: tuple[torch.Tensor, sampling.Truth]) -> Outputs:
        """What the losses compare, of images (N, 3, H, W) and their truth."""
        images, truth = inputs
        images, window = padded(images, self.settings), images.shape[2:]
        *levels, logits, offsets = self.trunk(images)
        logits, offsets, around = logits.float(), offsets.float(), anchors_of(images, self.settings)
        drawn, boxes = [], []
        for image in range(len(images)):
            nuclei = truth.of(image)
            drawn.append(sampling.sample_anchors(around, nuclei, self.targets["anchors"]))
            with torch.no_grad():
                found = proposals(logits[image], offsets[image], around, window, self.targets["proposals"])
            boxes.append(sampling.sample_boxes(found, nuclei, self.targets["boxes"], self.targets["positives"]))
        return Outputs(
            torch.cat([logits[i, s.places] for i, s in enumerate(drawn)]),
            torch.cat([s.classes for s in drawn]),
            torch.cat([offsets[i, s.places[: len(s.labels)]] for i, s in enumerate(drawn)]),
            torch.cat([s.offsets for s in drawn]),
            *self._boxes(levels, boxes),
            *self._masks(levels, boxes, truth),
        )

    def _boxes(self, levels: list[torch.Tensor], samples: list[sampling.Sample]) -> tuple[torch.Tensor, ...]:
        """What the outputs tell of the drawn boxes."""
        boxes, images = _together(samples)
        classes = torch.cat([s.classes for s in samples])
        logits, offsets = self.box_head(pyramid_align(levels, boxes, images, BOX_POOL))
        wanted = torch.cat([s.offsets for s in samples])
        return logits.float(), classes, offsets.float()[classes.nonzero()[:, 0], 1], wanted

    def _masks(
        self, levels: list[torch.Tensor], samples: list[sampling.Sample], truth: sampling.Truth
    ) -> tuple[torch.Tensor | None, ...]:
        """What the outputs tell of the masks of the positive boxes."""
        boxes, images = _together(samples)
        positive = torch.cat([s.classes for s in samples]).nonzero()[:, 0]
        count = len(positive)
        # Without a positive box the heads see the first one, for nothing: each weight has its gradient, if only 0.
        seen = positive if count else torch.zeros_like(images[:1])
        pooled = pyramid_align(levels, boxes[seen], images[seen], MASK_POOL)
        logits = self.mask_head(pooled)[:, 1:].float()
        wanted = torch.cat([_wanted_masks(truth.instances[i], s) for i, s in enumerate(samples)])
        masks = logits[:count, 0], wanted
        if self.overlap_head is None:
            return *masks, None, None
        # The score judges the mask and must not move it.
        overlaps = self.overlap_head(pooled, logits.detach().sigmoid())[:count, 1].float()
        areas = torch.cat([sampling.areas(truth.instances[i], s.labels) for i, s in enumerate(samples)])
        return *masks, overlaps, sampling.overlaps(masks[0] > 0, wanted > 0, boxes[positive], areas)


def _together(samples: list[sampling.Sample]) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (R, 4) of all images, and the image int64 (R,) of each."""
    images = [torch.full_like(s.places, i) for i, s in enumerate(samples)]
    return torch.cat([s.boxes for s in samples]), torch.cat(images)


def _wanted_masks(instances: torch.Tensor, sample: sampling.Sample) -> torch.Tensor:
    """Masks (p, 28, 28) of the nuclei that a sample's positive boxes hold."""
    return sampling.mask_targets(instances, sample.boxes[: len(sample.labels)], sample.labels, MASK_SIDE)


def _start_undecided(head: nn.Module) -> None:
    """Small weights in the last layers of a head: it starts with even odds and no correction."""
    for name in ("logits", "offsets"):
        layer = getattr(head, name, None)
        if layer is not None:
            nn.init.normal_(layer.weight, std=_PREDICTOR_STD)
