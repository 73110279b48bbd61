"""What a training may ask for: average, clipping, frozen weights, budgets, measures, several kinds of truth."""

import csv
import json
import math
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file

import exporting
from karyobench.datasets.store import create_hdf5, write_attributes
from karyobench.errors import KaryobenchError
from karyobench.patches.codecs import Writer
from karyobench.systems import registry
from karyobench.training import average, curve, setup, validation

STEP = Path(__file__).resolve().parents[2] / "scripts" / "train.py"
HARD = {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.5, "schedule": "thirds", "clip": 0.3, "ema": 0.8}


def rows(outputs):
    with open(outputs.history, newline="") as stream:
        return list(csv.DictReader(stream))


def told(outputs):
    return json.loads(outputs.run.read_text())


def written(path, layers, train=8, val=4, **attributes):
    """Patches of 16 pixels of noise; layers: a function of the generator that gives each patch's."""
    rng = np.random.default_rng(3)
    with create_hdf5(path) as file:
        for name, count in {"train": train, "val": val}.items():
            images = rng.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
            made = [layers(rng) for _ in range(count)]
            group = file.create_group(name)
            writer = Writer(group, "zstd", count, 16, made[0])
            for image, of_patch in zip(images, made, strict=True):
                writer.add(image, **of_patch)
            write_attributes(group, attributes)
            if attributes:
                group["label"] = rng.integers(0, 2, count).astype(np.int32)


def changed(study, old, new):
    """Put other lines into the test's system."""
    path = study.folder / "tiny.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def freeze_first(study):
    """Let the test's system freeze its first layer."""
    changed(
        study,
        "def examples",
        "_plain = build\ndef build(config):\n    network = _plain(config)\n"
        "    network[0].requires_grad_(False)\n    return network\n\ndef examples",
    )


# ---------------------------------------------------------------------- optimisation


@pytest.mark.parametrize("step", [2, 5, 9, 10])
def test_a_killed_run_with_average_and_clipping_goes_on_as_if_it_had_not_been(study, stop_before, step):
    study.config["train"] |= HARD
    whole = study.train("whole")
    stop_before(step)
    with pytest.raises(KeyboardInterrupt):
        study.train("stopped")
    stopped = study.train("stopped")
    assert whole.weights.read_bytes() == stopped.weights.read_bytes()
    assert whole.history.read_bytes() == stopped.history.read_bytes()


def test_a_process_killed_at_a_random_time_goes_on_to_the_same_weights(study):
    study.config["train"] |= HARD | {"checkpoint_every": 7, "validate_every": 20}
    study.config["budget"]["steps"] = 150
    whole, outputs = study.train("whole"), study.outputs("killed")
    command = [sys.executable, STEP, "--config", json.dumps(study.config), "--patches", study.patches, "--init"]
    command += ["--fingerprint", "code:1", "--checkpoints", study.checkpoints]
    command += [word for name, path in vars(outputs).items() for word in (f"--{name}", path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not study.checkpoints.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(np.random.default_rng().uniform(0, 0.3))
        process.kill()
    assert not outputs.weights.exists()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert whole.weights.read_bytes() == outputs.weights.read_bytes()
    assert whole.history.read_bytes() == outputs.history.read_bytes()


def test_the_average_by_hand():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    kept = average.started(network, {})
    expected = {name: tensor.clone().double() for name, tensor in network.state_dict().items()}
    for step in range(1, 30):
        network(torch.randn(5, 2))
        for weight in network.parameters():
            weight.data += torch.randn_like(weight)
        average.advance(kept, network, 0.7, step)
        decay = min(0.7, (1 + step) / (10 + step))
        for name, weight in network.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * weight.detach().double()
    for name, _ in network.named_parameters():
        torch.testing.assert_close(kept[name].double(), expected[name], rtol=1e-4, atol=1e-5)
    for name, buffer in network.named_buffers():
        assert torch.equal(kept[name], buffer)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with average.in_place(network, kept):
        assert all(torch.equal(tensor, kept[name]) for name, tensor in network.state_dict().items())
    assert all(torch.equal(tensor, own[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("val", [0, 4])
def test_the_average_is_what_is_kept(study, val):
    study.write_patches(train=10, val=val)
    study.config["train"] |= {"validate_every": 100, "augment": {}}
    plain = load_file(study.train("plain").weights)
    study.config["train"]["ema"] = 0.9
    averaged = load_file(study.train("averaged").weights)
    assert torch.equal(plain["1.running_mean"], averaged["1.running_mean"])
    assert not torch.equal(plain["0.weight"], averaged["0.weight"])


def test_clipping_bounds_a_step_of_sgd(study):
    study.config["train"] |= {"optimizer": "sgd", "learning_rate": 1.0, "schedule": "constant", "clip": 1e-3}
    study.config["budget"]["steps"] = 1
    after = load_file(study.train("one").weights)
    study.config["train"]["learning_rate"] = 1e-30
    before = load_file(study.train("none").weights)
    learned = [name for name in after if name.endswith(("weight", "bias"))]
    moved = sum((after[name] - before[name]).double().square().sum() for name in learned) ** 0.5
    assert moved.item() == pytest.approx(1e-3, rel=1e-2)


def test_frozen_weights_stay(study):
    changed(study, "    width = config", "    torch.manual_seed(1)\n    width = config")
    start = study.train("start").weights
    freeze_first(study)
    outputs = study.train("frozen", init=start)
    frozen = load_file(outputs.weights)
    for name, tensor in load_file(start).items():
        assert torch.equal(frozen[name], tensor) == name.startswith("0."), name
    count = sum(frozen[f"{name}.{kind}"].numel() for name in "014" for kind in ("weight", "bias"))
    left = sum(frozen[f"0.{kind}"].numel() for kind in ("weight", "bias"))
    assert (told(outputs)["parameters"], told(outputs)["trainable"]) == (count, count - left)
    assert f"Parameters: {count:,} ({left:,} frozen)." in outputs.card.read_text()


def test_frozen_random_weights_are_refused(study):
    freeze_first(study)
    message = r"'tiny-discs': its network freezes 2 tensors .* 0\.weight\).*`pretrained` or `init_from`"
    with pytest.raises(KaryobenchError, match=message):
        study.train()
    assert not study.outputs().weights.exists()


@pytest.mark.parametrize(
    ("module", "change", "accepted"),
    [
        ("vgg16", {"free": 0}, False),
        ("vgg16", {"free": 12}, False),
        ("vgg16", {"free": 13}, True),
        ("prcnn", {"norm": "frozen"}, False),
        ("prcnn", {"norm": "batch"}, True),
        ("prcnn", {"norm": "group", "width": 8, "pyramid": 8}, True),
    ],
)
def test_systems_that_freeze_need_weights_to_start_from(module, change, accepted):
    record = exporting.RECORDS[module]
    network = registry.load(module).build(record | {"network": record["network"] | change})
    with nullcontext() if accepted else pytest.raises(KaryobenchError, match=r"free: 13.*norm: batch or group"):
        setup.check_frozen(network, "any")


# ---------------------------------------------------------------------- budgets


@pytest.mark.parametrize(
    ("budget", "steps", "planned"),
    [
        ({"epochs": 1}, 3, 3),  # 10 patches in batches of 4
        ({"epochs": 2}, 5, 5),
        ({"epochs": 2.5, "max_steps": 4}, 4, 7),
        ({"steps": 6, "max_steps": 2}, 2, 6),
        ({"steps": 2, "max_steps": 6}, 2, 2),
    ],
)
def test_budgets_become_steps(study, budget, steps, planned):
    study.config["budget"] = budget
    outputs = study.train()
    assert (told(outputs)["steps"], told(outputs)["planned_steps"]) == (steps, planned)
    assert len(rows(outputs)) == steps
    assert (f"{steps} steps of {planned} (`max_steps`)" in outputs.card.read_text()) == (steps < planned)


# ---------------------------------------------------------------------- validation


def test_measures_are_columns_averaged_over_patches(study):
    study.config["train"]["batch"] = 3  # validation of 4 patches: batches of 3 and 1
    changed(
        study,
        "def predict",
        "def measures(outputs, targets, config):\n"
        "    return {'rate': (outputs.argmax(1) == targets).float().mean().item(), 'patches': float(len(targets))}\n\n"
        "def predict",
    )
    outputs = study.train()
    history = rows(outputs)
    columns = ["step", "loss", "val_loss", "learning_rate", "patches", "rate", "train_patches", "train_rate"]
    assert [*history[0]] == columns
    assert {row["train_patches"] for row in history} == {"3"}
    assert [row["patches"] for row in history if row["patches"]] == ["2.5"] * 3  # (3 x 3 + 1) / 4
    assert all(0 < float(row["rate"]) <= 1 for row in history if row["rate"])
    kept = history[told(outputs)["kept_step"] - 1]
    assert told(outputs)["measures"] == pytest.approx(
        {name: float(kept[name]) for name in ("rate", "patches")}, rel=1e-5
    )
    assert "| validation: rate | 0." in outputs.card.read_text()


MEASURED = """
def loss(outputs, targets, config):
    return nn.functional.cross_entropy(outputs, targets)

def measures(outputs, targets, config):
    assert not torch.is_grad_enabled()
    right = (outputs.argmax(1) == targets).float()
    return {"twin": 2 * loss(outputs, targets, config).item(), "rate": right.mean().item()}

"""
LOSS = "def loss(outputs, targets, config):\n    return nn.functional.cross_entropy(outputs, targets)\n\n"


def test_each_step_is_measured_by_its_own_outputs_and_learns_as_without(study, stop_before):
    plain = study.train("plain")
    changed(study, LOSS, MEASURED)
    whole = study.train("whole")
    assert whole.weights.read_bytes() == plain.weights.read_bytes()
    for row in rows(whole):
        assert float(row["train_twin"]) == pytest.approx(2 * float(row["loss"]), rel=1e-5)
        assert 0 <= float(row["train_rate"]) <= 1
    stop_before(8)
    with pytest.raises(KeyboardInterrupt):
        study.train("stopped")
    stopped = study.train("stopped")
    for file in ("weights", "history", "curve"):
        assert getattr(whole, file).read_bytes() == getattr(stopped, file).read_bytes()


def test_the_curve_has_a_panel_for_each_measure(study):
    changed(study, LOSS, MEASURED)
    drawing = ElementTree.fromstring(study.train().curve.read_text())
    assert drawing.get("height") == "600"
    panels = [e for e in drawing if e.tag.endswith("}g")]
    for panel, name in zip(panels, ("loss", "rate", "twin"), strict=True):
        lines = [e.get("points").split() for e in panel.iter() if e.tag.endswith("polyline")]
        assert [len(line) for line in lines] == [11, 3]
        assert f"{name}: " in [e.text for e in panel.iter() if e.tag.endswith("text")]


def test_what_is_no_number_is_not_drawn():
    drawing = curve.drawn([2.0, 1.0], {"a<b": [math.nan, 0.5], "c": [math.nan] * 2}, [])
    lines = [e.get("points").split() for e in ElementTree.fromstring(drawing).iter() if e.tag.endswith("polyline")]
    assert [len(line) for line in lines] == [2, 0, 1, 0, 0, 0]


def test_validation_draws_the_same_each_time(study):
    """Both from the generator that examples are given, and from torch's own."""
    changed(
        study,
        "    return nn.functional.cross_entropy(outputs, targets)",
        "    return outputs.sum() * 0 + torch.rand(()) + targets.float().mean()",
    )
    study.config["budget"]["steps"] = 40
    losses = {row["val_loss"] for row in rows(study.train()) if row["val_loss"]}
    assert len(losses) == 1


def test_validation_computes_in_the_precision_of_training():
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    torch.manual_seed(0)
    network = torch.nn.Linear(40, 40)
    run = SimpleNamespace(fabric=fabric, network=network)
    inputs = torch.randn(3, 40)
    outputs = validation._outputs(run, inputs)
    assert torch.equal(outputs, fabric.setup_module(network)(inputs))
    assert outputs.dtype == torch.float32
    assert not torch.equal(outputs, network(inputs))


def test_the_curve_is_a_drawing(study):
    for val in (4, 0):
        study.write_patches(train=10, val=val)
        outputs = study.train()
        drawn = ElementTree.fromstring(outputs.curve.read_text())
        lines = [e.get("points").split() for e in drawn.iter() if e.tag.endswith("polyline")]
        assert [len(line) for line in lines] == [11, 3 if val else 0]
        points = np.array([point.split(",") for line in lines for point in line], float)
        assert ((points >= 0) & (points <= [480, 200])).all()
        assert outputs.curve.name in outputs.card.read_text()


# ---------------------------------------------------------------------- truth


def test_what_is_ignored_leaves_no_trace_in_the_weights(study):
    study.config |= {
        "module": "unet3",
        "network": {"width": 2, "depth": 2},
        "targets": {"boundary": 1},
        "loss": {"class_weights": [1, 1, 2]},
    }
    study.config["train"]["augment"] |= {"perspective": 0.1, "elastic": {"std": 2, "grid": 3}}

    def layers(hidden):
        def of_patch(rng):
            instances = np.kron(rng.integers(0, 4, (4, 4)), np.ones((4, 4), int))
            ignore = (rng.random((16, 16)) < 0.3).astype(np.uint8)
            return {"instances": np.where(ignore, hidden, instances), "ignore": ignore}

        return of_patch

    files = []
    for hidden in (0, 9):
        written(study.patches, layers(hidden))
        outputs = study.train(f"hidden-{hidden}")
        files.append((outputs.weights.read_bytes(), outputs.history.read_bytes()))
    assert files[0] == files[1]


def test_systems_meet_the_kind_of_truth_that_they_learn_from(study):
    written(study.patches, lambda rng: {}, classes=["benign", "malignant"])
    with pytest.raises(KaryobenchError, match=r"patches\.h5: its patches have classes of images, .* from instances"):
        study.train()
    changed(study, '"maps"', '"classes"')
    changed(
        study, "torch.from_numpy(np.roll(batch.instances, shift, axis=1)[:, 1:-1, 1:-1] > 0).long()", "batch.labels"
    )
    changed(
        study, "cross_entropy(outputs, targets)", "cross_entropy(outputs.mean((2, 3)), torch.as_tensor(targets).long())"
    )
    assert told(study.train())["steps"] == 11
    study.write_patches(train=10, val=4)
    with pytest.raises(KaryobenchError, match=r"its patches have instances, and the system learns from classes"):
        study.train()


# ---------------------------------------------------------------------- initial weights


def test_a_system_may_adopt_weights_of_another_origin(study):
    start = study.train("start").weights
    study.config |= {"initial": "experiment start", "network": {"width": 6}}
    changed(
        study,
        "def predict",
        "def adopt(network, tensors, config):\n"
        "    from karyobench.errors import KaryobenchError\n"
        "    if '4.bias' not in tensors: raise KaryobenchError('no head')\n"
        "    with torch.no_grad():\n"
        "        network[4].bias.copy_(tensors['4.bias'])\n"
        "        network[4].bias.requires_grad_(False)\n\n"
        "def predict",
    )
    outputs = study.train("next", init=start)
    assert torch.equal(load_file(outputs.weights)["4.bias"], load_file(start)["4.bias"])
    assert told(outputs)["initial"] == "experiment start"
    card = outputs.card.read_text()
    assert f"| initial weights | experiment start, sha256 `{told(outputs)['initial_sha256']}` |" in card
    assert told(outputs)["patches_sha256"] in card
    save_file({"else": torch.zeros(1)}, study.folder / "other.safetensors")
    with pytest.raises(KaryobenchError, match=r"other\.safetensors: no head"):
        study.train("next", init=study.folder / "other.safetensors")


def test_from_scratch_is_said(study):
    outputs = study.train()
    assert (told(outputs)["initial"], told(outputs)["initial_sha256"]) == ("scratch", None)
    assert "| initial weights | scratch |" in outputs.card.read_text()
