"""A trained system's network: its weights are filled in, its mode is evaluation, and unfit weights are named."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from karyobench.datasets.store import Field, open_hdf5, writing
from karyobench.errors import KaryobenchError
from karyobench.inference.networks import inference, load_network
from karyobench.inference.predict import predict
from karyobench.systems import registry

SYSTEM = """
import torch
TASK, OUTPUT = "weighted sum of the colours", "maps"
TRAINED = True
KEYS = {"network": ("maps",), "predict": ("tile",)}

def build(config):
    return torch.nn.Sequential(torch.nn.Conv2d(3, config["network"]["maps"], 1), torch.nn.Dropout(0.9))

def examples(batch, rng, config): ...
def loss(outputs, targets, config): ...
def instances(maps, config): ...

def predict(network, tile, config):
    image = torch.from_numpy(tile.image).permute(2, 0, 1)[None].float()
    maps = network(image.to(next(network.parameters()).device))[0]
    assert not maps.requires_grad and not torch.is_grad_enabled()
    return maps.cpu().numpy()
"""
THREADS = torch.get_num_threads()

HE = {"image_type": "he"}


@pytest.fixture
def trained(tmp_path):
    """A configuration, and weights whose first map is red and whose second is 2 green + 1."""
    (tmp_path / "sum.py").write_text(SYSTEM)
    weights = torch.zeros(2, 3, 1, 1)
    weights[0, 0], weights[1, 1] = 1, 2
    save_file({"0.weight": weights, "0.bias": torch.tensor([0.0, 1.0])}, tmp_path / "weights.safetensors")
    config = {"module": str(tmp_path / "sum.py"), "network": {"maps": 2}, "predict": {"tile": 4}, "threads": THREADS}
    yield config, tmp_path / "weights.safetensors"
    torch.use_deterministic_algorithms(False)


def test_weights_reach_the_maps_without_dropout_or_gradients(trained, tmp_path):
    config, weights = trained
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    with writing(tmp_path / "images.h5") as writer:
        writer.add(Field("a", image, None, HE))
    (tmp_path / "split.csv").write_text("image,split,group,stratum\na,test,a,\n")
    predict({**config, "splits": ["test"]}, tmp_path / "images.h5", tmp_path / "split.csv", weights, tmp_path / "o.h5")
    with open_hdf5(tmp_path / "o.h5") as file:
        tiles = [file["a/tile"][name] for name in sorted(file["a/tile"])]
        assert len(tiles) == 4
        for tile in tiles:
            r0, c0, r1, c1 = tile.attrs["box"]
            part = image[r0:r1, c0:c1].astype(float)
            assert np.array_equal(tile[()], np.stack([part[..., 0], 2 * part[..., 1] + 1]))


def test_the_network_is_in_evaluation_with_the_configured_threads(trained):
    config, weights = trained
    try:
        network = load_network(registry.load(config["module"]), {**config, "threads": 1}, weights)
        assert not network.training
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(THREADS)


def test_gradients_are_off_for_trained_systems_alone(trained):
    with inference(registry.load(trained[0]["module"])):
        assert torch.is_inference_mode_enabled()
    with inference(registry.load("otsu")):
        assert not torch.is_inference_mode_enabled()


def test_weights_of_another_network_are_refused(trained):
    config, weights = trained
    with pytest.raises(KaryobenchError, match=r"weights.safetensors: does not fit the network: .*; train it again"):
        load_network(registry.load(config["module"]), {**config, "network": {"maps": 3}}, weights)


def test_damaged_and_missing_weights_are_named(trained, tmp_path):
    config, weights = trained
    system = registry.load(config["module"])
    weights.write_bytes(weights.read_bytes()[:40])
    with pytest.raises(KaryobenchError, match=r"weights.safetensors: cannot be read as safetensors"):
        load_network(system, config, weights)
    with pytest.raises(KaryobenchError, match=r"no.safetensors: cannot be read"):
        load_network(system, config, tmp_path / "no.safetensors")
    with pytest.raises(KaryobenchError, match="is trained: name its weights"):
        load_network(system, config, None)


def test_an_untrained_system_takes_no_weights(trained):
    assert load_network(registry.load("otsu"), {"module": "otsu"}, None) is None
    with pytest.raises(KaryobenchError, match="'otsu' is not trained: leave out the weights"):
        load_network(registry.load("otsu"), {"module": "otsu"}, trained[1])
