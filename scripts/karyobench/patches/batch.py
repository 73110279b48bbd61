"""A batch of patches and what their truth says of them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batch:
    """Patches with their truth; what a patch set does not have is None.

    images: uint8 (B, c, c, 3). instances: int32 (B, c, c), 0 for background. ignore: uint8 (B, c, c), 1 where the
    truth says nothing. labels: int32 (B,), the class of each patch. part: which of how many equal parts of a training
    step's batch this is, counted from 0, where several ranks share it.
    """

    images: np.ndarray
    instances: np.ndarray | None = None
    ignore: np.ndarray | None = None
    labels: np.ndarray | None = None
    part: tuple[int, int] = (0, 1)

    def __len__(self) -> int:
        return len(self.images)

    def part_of(self, total: int) -> int:
        """This part's number of what all parts together have `total` of."""
        place, count = self.part
        return total * (place + 1) // count - total * place // count
