"""Random draws of training: functions of the seed, what they are for, and the number of the step or patch alone."""

import numpy as np
import torch

ORDER, STEP, VALIDATION, PATCH = range(4)


def generator(seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """The generator of one purpose (ORDER, STEP, VALIDATION, PATCH) and number."""
    return np.random.default_rng([seed, purpose, *numbers])


def seeded(seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """The same generator, after it has seeded torch's own (dropout, regions that a network samples)."""
    rng = generator(seed, purpose, *numbers)
    torch.manual_seed(int(rng.integers(2**63)))
    return rng


def batch_indices(step: int, size: int, count: int, seed: int) -> np.ndarray:
    """Patches of a step's batch, int (size,): each epoch goes through all `count` patches in an order of its own."""
    places = np.arange(step * size, (step + 1) * size)
    epochs = places // count
    orders = {epoch: generator(seed, ORDER, epoch).permutation(count) for epoch in np.unique(epochs).tolist()}
    return np.array([orders[epoch][place % count] for epoch, place in zip(epochs.tolist(), places, strict=True)])
