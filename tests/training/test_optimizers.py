"""Learning-rate schedules in closed form, and optimisers by name."""

import math

import pytest
import torch

from karyobench.errors import KaryobenchError
from karyobench.training.optimizers import learning_rate, optimizer_of

SETTINGS = {"optimizer": "adam", "learning_rate": 0.2, "weight_decay": 0.01, "momentum": 0, "schedule": "cosine"}


def test_a_constant_rate_is_constant():
    rates = {learning_rate(step, 50, {**SETTINGS, "schedule": "constant"}) for step in range(50)}
    assert rates == {0.2}


def test_a_cosine_rises_for_a_tenth_and_falls_to_almost_nothing():
    rates = [learning_rate(step, 100, SETTINGS) for step in range(100)]
    assert rates[:10] == pytest.approx([0.02 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(0.2)
    assert rates[55] == pytest.approx(0.1)  # half way down: cosine of a right angle
    assert rates[99] == pytest.approx(0.1 * (1 + math.cos(math.pi * 89 / 90)))
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 75])
def test_thirds_lose_a_decade_each(steps):
    rates = [learning_rate(step, steps, {**SETTINGS, "schedule": "thirds"}) for step in range(steps)]
    done = [[step >= steps / 3, step >= 2 * steps / 3].count(True) for step in range(steps)]
    assert rates == pytest.approx([0.2 * 0.1**count for count in done])


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_tiny_budgets_have_a_rate_above_nought(steps):
    assert all(0 < learning_rate(step, steps, SETTINGS) <= 0.2 for step in range(steps))


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adagrad", torch.optim.Adagrad)])
def test_optimisers_take_rate_and_decay(name, kind):
    optimizer = optimizer_of(torch.nn.Linear(2, 2), {**SETTINGS, "optimizer": name})
    assert type(optimizer) is kind
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (0.2, 0.01)


def test_sgd_has_momentum_and_others_refuse_it():
    optimizer = optimizer_of(torch.nn.Linear(2, 2), {**SETTINGS, "optimizer": "sgd", "momentum": 0.9})
    assert (type(optimizer), optimizer.defaults["momentum"]) == (torch.optim.SGD, 0.9)
    with pytest.raises(KaryobenchError, match=r"train.momentum: 'adam' has none; remove it, or take sgd"):
        optimizer_of(torch.nn.Linear(2, 2), {**SETTINGS, "momentum": 0.9})


def test_frozen_weights_are_left_out():
    layer = torch.nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    (group,) = optimizer_of(layer, SETTINGS).param_groups
    assert [weight is layer.weight for weight in group["params"]] == [True]


def test_unknown_names_are_told():
    with pytest.raises(KaryobenchError, match=r"train.optimizer: there is no 'adan' .did you mean 'adam'"):
        optimizer_of(torch.nn.Linear(2, 2), {**SETTINGS, "optimizer": "adan"})
    with pytest.raises(KaryobenchError, match=r"train.schedule: there is no 'step' .known: constant, cosine, thirds"):
        learning_rate(0, 10, {**SETTINGS, "schedule": "step"})
