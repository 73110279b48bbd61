"""Exported networks: what they predict is what torch predicts, what they were made of is recorded, faults are named."""

import logging
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import exporting
import karyobench.inference.export as step
from karyobench import files
from karyobench.datasets.store import Field, open_hdf5, writing
from karyobench.errors import KaryobenchError
from karyobench.inference import exported, signal_stack
from karyobench.inference.export import export
from karyobench.inference.merge import merge
from karyobench.inference.networks import load_network
from karyobench.inference.predict import predict
from karyobench.metrics.counts import count_image
from karyobench.systems import registry

PRECISIONS = ("float32", "bfloat16", "int8")
MEASURED = {"float32": 2e-6, "bfloat16": 0.03, "int8": 0.2}
"""Differences from torch of the little networks trained here, rounded up; each precision's tolerance is wider."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Patches, random weights of each system and a U-Net that was trained a little."""
    path = tmp_path_factory.mktemp("exporting")
    exporting.write_patches(path / "patches.h5")
    for module in exporting.RECORDS:
        exporting.write_weights(path / f"{module}.safetensors", module)
    exporting.write_weights(path / "trained.safetensors", "unet3", steps=60)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield path
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def trained(folder):
    """The trained U-Net exported in each precision."""
    for precision in PRECISIONS:
        make(folder, exporting.record("unet3", precision), "trained", precision)
    return folder


def make(folder, config, weights, name="network", patches="patches"):
    path = folder / f"{name}.zip"
    export(config, folder / f"{weights}.safetensors", folder / f"{patches}.h5", path)
    return path


def test_no_trained_system_is_left_out():
    assert set(exporting.RECORDS) == set(exporting.TRAINED)


SLOW = {"janowczyk_cnn"}  # evaluated densely, it is a graph of a thousand convolutions


@pytest.mark.parametrize(
    "module", [pytest.param(m, marks=pytest.mark.slow) if m in SLOW else m for m in exporting.RECORDS]
)
def test_every_system_predicts_alike_at_every_size(folder, module):
    config, system = exporting.record(module), registry.load(module)
    network = load_network(system, exporting.without_runtime(config), folder / f"{module}.safetensors")
    instead = load_network(system, config, make(folder, config, module))
    for height, width in ((64, 64), (37, 50), (33, 71), (1, 9)):
        tile = exporting.tile(system, height, width)
        expected, found = (system.predict(one, tile, config) for one in (network, instead))
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_batch_is_a_batch_and_an_empty_one_is_empty(trained):
    system, config = registry.load("unet3"), exporting.record("unet3")
    network = load_network(system, exporting.without_runtime(config), trained / "trained.safetensors")
    instead = load_network(system, config, trained / "float32.zip")
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 3, 24, 40)).astype(np.float32))
    with torch.inference_mode():
        for some in (images, images[:1], images[:0], images[:2].to(memory_format=torch.channels_last)):
            np.testing.assert_allclose(instead(some), network(some), atol=1e-4)


def test_two_calls_do_not_share_their_results(trained):
    instead = load_network(registry.load("unet3"), exporting.record("unet3"), trained / "float32.zip")
    first = instead(torch.zeros(1, 3, 16, 16))
    kept = first.clone()
    instead(torch.ones(1, 3, 16, 16))
    assert torch.equal(first, kept)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_difference_is_that_of_the_precision(trained, precision):
    """Float32 is not quietly bfloat16, nor bfloat16 quietly float32."""
    found = exported.read(trained / f"{precision}.zip").record["graphs"]["forward"]
    assert MEASURED[precision] / 30 < found < MEASURED[precision] < step.TOLERANCES[precision]


@pytest.fixture(scope="module")
def detector(folder):
    """A P-RCNN that was trained a little."""
    exporting.write_weights(folder / "detector.safetensors", "prcnn", steps=20)
    return folder


@pytest.mark.parametrize(
    "precision",
    ["float32", "bfloat16", pytest.param("int8", marks=pytest.mark.slow)],  # its ranges take a minute
)
def test_every_graph_of_a_trained_detector_is_as_exact_as_its_precision(detector, precision):
    path = make(detector, exporting.record("prcnn", precision), "detector", f"detector-{precision}")
    found = exported.read(path).record["graphs"]
    assert found.keys() == {"trunk", "box_head", "mask_head"}
    assert MEASURED[precision] / 30 < max(found.values()) < MEASURED[precision] < step.TOLERANCES[precision]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_record_tells_what_the_network_was_made_of(trained, precision):
    record = exported.read(trained / f"{precision}.zip").record
    assert (record["module"], record["network"]) == ("unet3", {"width": 4, "depth": 3})
    assert record["precision"] == precision
    assert record["tolerance"] == step.TOLERANCES[precision]
    assert record["calibrated_on"] == (8 if precision == "int8" else 0)
    assert record["weights"] == files.sha256_file(trained / "trained.safetensors")
    assert record["patches"] == files.sha256_file(trained / "patches.h5")
    assert record["versions"]["torch"] == torch.__version__
    assert set(record["versions"]) == {"openvino", "nncf", "torch"}


def test_signals_are_handled_where_they_were_and_logs_kept(trained):
    before, level = signal_stack.current(), logging.getLogger().level
    config = exporting.record("unet3", "int8")
    make(trained, config, "trained", "once-more")
    network = load_network(registry.load("unet3"), config, trained / "once-more.zip")
    network(torch.zeros(1, 3, 24, 40))
    after = signal_stack.current()
    assert (after.start, after.flags, after.size) == (before.start, before.flags, before.size)
    assert logging.getLogger().level == level


def test_int8_is_smaller_and_the_same_on_every_export(trained):
    config, path = exporting.record("unet3", "int8"), trained / "int8.zip"
    again = make(trained, config, "trained", "again")
    first, second = (load_network(registry.load("unet3"), config, one) for one in (path, again))
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 24, 40)).astype(np.float32))
    assert torch.equal(first(images), second(images))
    sizes = [len(exported.read(trained / f"{p}.zip").graphs["forward"][1]) for p in ("int8", "float32")]
    assert sizes[0] < 0.5 * sizes[1]


@pytest.fixture(scope="module")
def steps(trained):
    """Instances of an image from the predict and merge steps in each precision, and in torch."""
    image, labels = exporting.squares(100, seed=77)
    with writing(trained / "images.h5") as writer:
        writer.add(Field("a", image, labels, {"image_type": "he"}))
    (trained / "split.csv").write_text("image,split,group,stratum\na,test,a,\n")
    found = {"truth": labels}
    for precision in ("torch", *PRECISIONS):
        config = exporting.record("unet3", precision)
        config = exporting.without_runtime(config) if precision == "torch" else config
        config["predict"] |= {"tile": 64, "overlap": 16}
        config |= {"splits": ["test"], "instances": INSTANCES}
        source = "trained.safetensors" if precision == "torch" else f"{precision}.zip"
        predict(config, trained / "images.h5", trained / "split.csv", trained / source, trained / "tiles.h5")
        merge(config, trained / "tiles.h5", trained / "merged.h5")
        with open_hdf5(trained / "merged.h5") as file:
            found[precision] = file["a/instances"][()]
    return found


INSTANCES = {"foreground": 0.5, "inside": 0.5, "erode": 1, "min_marker": 4, "min_area": 9}


def test_float32_gives_the_very_instances_of_torch(steps):
    matched = count_image(steps["truth"], steps["torch"], [0.5])["tp@0.50"]
    assert matched >= 0.9 * steps["truth"].max()
    assert np.array_equal(steps["float32"], steps["torch"])


@pytest.mark.parametrize(("precision", "equal"), [("bfloat16", 0.999), ("int8", 0.99)])
def test_lower_precisions_give_almost_the_same_instances(steps, precision, equal):
    assert np.mean((steps[precision] > 0) == (steps["torch"] > 0)) >= equal
    counts = count_image(steps["torch"], steps[precision], [0.75])
    assert counts["tp@0.75"] >= 0.95 * counts["n_true"]
    assert counts["tp@0.75"] >= 0.95 * counts["n_pred"]


def test_missing_damaged_and_altered_files_are_named(trained, tmp_path):
    system, config, good = registry.load("unet3"), exporting.record("unet3"), trained / "float32.zip"
    with pytest.raises(KaryobenchError, match=r"no.zip: cannot be read as an exported network .*export it again"):
        load_network(system, config, tmp_path / "no.zip")
    for name, content in {"cut": good.read_bytes()[:-100], "flipped": flipped(good)}.items():
        (tmp_path / f"{name}.zip").write_bytes(content)
        with pytest.raises(KaryobenchError, match=rf"{name}.zip: cannot be read as an exported network"):
            load_network(system, config, tmp_path / f"{name}.zip")
    with pytest.raises(KaryobenchError, match=r"trained.safetensors: cannot be read as an exported network"):
        load_network(system, config, trained / "trained.safetensors")
    rewrite(good, tmp_path / "foreign.zip", {"record.json": b'{"files": {}}'})
    with pytest.raises(KaryobenchError, match=r"foreign.zip: cannot be read as an exported network"):
        load_network(system, config, tmp_path / "foreign.zip")
    rewrite(good, tmp_path / "other.zip", {"forward.bin": b"\0" * 100})
    with pytest.raises(KaryobenchError, match=r"other.zip: forward.bin is not what was exported; export it again"):
        load_network(system, config, tmp_path / "other.zip")
    rewrite(good, tmp_path / "more.zip", {"trunk.xml": b"<net/>"})
    with pytest.raises(KaryobenchError, match=r"more.zip: trunk.xml is not what was exported"):
        load_network(system, config, tmp_path / "more.zip")


def flipped(path: Path) -> bytes:
    """The file with one bit of its middle turned."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    return bytes(content)


def rewrite(path: Path, target: Path, changes: dict[str, bytes]) -> None:
    """A sound archive with other content."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"predict": {"runtime": {"name": "openvino", "precision": "int8"}}}, "precision float32, must be int8"),
        ({"network": {"width": 8, "depth": 3}}, r"network {'depth': 3, 'width': 4}, must be {'width': 8, 'depth': 3}"),
        ({"module": "unet3plus"}, "module unet3, must be unet3plus"),
    ],
)
def test_a_network_exported_from_another_record_is_refused(trained, change, told):
    with pytest.raises(KaryobenchError, match=rf"float32.zip: was exported with {told}; export it again"):
        load_network(registry.load("unet3"), exporting.record("unet3") | change, trained / "float32.zip")


def test_too_large_a_difference_is_refused(trained, monkeypatch):
    monkeypatch.setitem(step.TOLERANCES, "int8", 1e-6)
    message = (
        r"graph 'forward' exported in int8 differs from torch by .* more than 1e-06; choose another predict.runtime"
    )
    with pytest.raises(KaryobenchError, match=message):
        make(trained, exporting.record("unet3", "int8"), "trained", "refused")
    assert not (trained / "refused.zip").exists()


def test_weights_that_are_not_numbers_are_refused(folder):
    weights = load_file(folder / "unet3.safetensors")
    weights["head.bias"][0] = float("nan")
    save_file(weights, folder / "nan.safetensors")
    with pytest.raises(KaryobenchError, match="differs from torch by nan"):
        make(folder, exporting.record("unet3"), "nan", "refused")


SYSTEM = """
import torch
TASK, OUTPUT, TRAINED, KEYS, GRAPHS = "branches", "maps", True, {}, ("first", "second")

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def first(self, x):
        return self.scale * x, x.mean(dim=1)

    def second(self, x):
        return FAULT

def build(config): return Network()
def examples(batch, rng, config): ...
def loss(outputs, targets, config): ...
def instances(maps, config): ...

def predict(network, tile, config):
    image = torch.from_numpy(tile.image).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        maps, grey = network.first(image.to(next(network.parameters()).device))
        return network.second(maps + grey)[0].numpy() if CALLED else maps[0].numpy()
"""


def write_system(folder, fault="self.scale * x", called="True"):
    path = folder / "branches.py"
    path.write_text(SYSTEM.replace("FAULT", fault).replace("CALLED", called))
    save_file({"scale": torch.full((1,), 0.5)}, folder / "branches.safetensors")
    return {"module": str(path), "predict": {"runtime": {"name": "openvino", "precision": "float32"}}, "threads": 1}


def test_a_system_from_outside_with_several_graphs_and_outputs(folder, tmp_path):
    config = write_system(tmp_path)
    system = registry.load(config["module"])
    export(config, tmp_path / "branches.safetensors", folder / "patches.h5", tmp_path / "network.zip")
    instead = load_network(system, config, tmp_path / "network.zip")
    tile = exporting.tile(system, 20, 30)
    image = tile.image.transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_allclose(system.predict(instead, tile, config), 0.5 * (0.5 * image + image.mean(0)), rtol=1e-6)


def test_a_system_need_not_know_of_gradients(folder, tmp_path):
    """As in the step `predict`, they are off while it predicts."""
    config = write_system(tmp_path)
    path = Path(config["module"])
    path.write_text(path.read_text().replace("with torch.inference_mode():", "if True:"))
    export(config, tmp_path / "branches.safetensors", folder / "patches.h5", tmp_path / "network.zip")
    assert (tmp_path / "network.zip").exists()


def test_a_graph_that_is_never_called_where_it_is_compared_is_named():
    with pytest.raises(KaryobenchError, match=r"none of the training patches .* compared .* makes predict call it"):
        step.difference(lambda x: x, [])


@pytest.mark.parametrize(
    ("fault", "called", "told"),
    [
        (
            "torch.from_numpy(x.detach().numpy()[:, :, :40].copy()) * self.scale",
            "True",
            "graph 'second' exported in float32 differs from torch by inf",
        ),
        ("torch.special.entr(torch.special.bessel_j0(x))", "True", "graph 'second' cannot be exported"),
        ("x", "False", "graph 'second': no training patch makes predict call it"),
    ],
)
def test_a_graph_that_cannot_be_exported_is_named(folder, tmp_path, fault, called, told):
    config = write_system(tmp_path, fault, called)
    with pytest.raises(KaryobenchError, match=told):
        export(config, tmp_path / "branches.safetensors", folder / "patches.h5", tmp_path / "network.zip")
    assert not (tmp_path / "network.zip").exists()


def test_patches_smaller_than_the_window_are_refused(folder, tmp_path):
    exporting.write_patches(tmp_path / "small.h5", count=2, side=24)
    with pytest.raises(KaryobenchError, match="patches of 24 px are smaller than the system's window; raise `crop`"):
        export(
            exporting.record("alexnet"), folder / "alexnet.safetensors", tmp_path / "small.h5", tmp_path / "network.zip"
        )


def test_nothing_is_told_to_anyone():
    """OpenVINO and NNCF report their use to a server, unless the package that does so cannot be had."""
    program = (
        "import sys; from karyobench.inference.runtimes import openvino; openvino().convert_model; import nncf;"
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])"
    )
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "scripts")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
