"""The export step: a trained network as graphs that OpenVINO runs, each compared with torch on training patches."""

import io
import logging
import warnings
from collections.abc import Iterable
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.inference import exported
from karyobench.inference.calls import Call, Calls, arrays, graph_names
from karyobench.inference.networks import torch_network
from karyobench.inference.runtimes import Graph, Tensors, compiled, openvino, undisturbed
from karyobench.patches.reading import Patches, reading
from karyobench.systems import registry

log = logging.getLogger("karyobench")

CALIBRATION, CHECKED = 32, 4
"""Patches on which int8 finds its ranges, and on which every precision is compared with torch."""

TOLERANCES = {"float32": 1e-4, "bfloat16": 0.1, "int8": 0.25}
"""Largest difference from torch that is let pass; see `difference`."""


def export(config: dict[str, Any], weights: str | Path, patches: str | Path, output: str | Path) -> None:
    """Write a trained network as `predict.runtime` has it: `{name: openvino, precision}`.

    config: the system's record with `module`, `network`, `predict`, and `threads`. weights: safetensors. patches: those
    of the training; int8 finds the ranges of its values on them, by NNCF's post-training quantisation.
    The record in the file tells what the network was made of, and each graph's difference from torch.
    Raises KaryobenchError on unfit weights, on a network that cannot be exported, and on too large a difference.
    """
    system, precision = registry.load(config["module"]), config["predict"]["runtime"]["precision"]
    network = torch_network(system, config, weights)
    with reading(patches) as (training, _):
        images = _spread(training, CALIBRATION)
    graphs, differences = {}, {}
    for name in graph_names(system):
        graphs[name] = exported_graph(Calls(system, network, name, images, config), precision)
        checked = Calls(system, network, name, _in_odd_sizes(images[:: -(-len(images) // CHECKED)]), config)
        differences[name] = difference(compiled(graphs[name], precision, config["threads"]), checked)
        log.info("exported graph '%s' in %s: difference from torch %.2g", name, precision, differences[name])
    _refuse(differences, precision)
    record = {
        "module": config["module"],
        "network": config.get("network"),
        "precision": precision,
        "graphs": differences,
        "tolerance": TOLERANCES[precision],
        "calibrated_on": len(images) if precision == "int8" else 0,
        "weights": files.sha256_file(weights),
        "patches": files.sha256_file(patches),
        "versions": {name: version(name) for name in ("openvino", "nncf", "torch")},
    }
    exported.write(output, exported.Exported(graphs, record))


def exported_graph(calls: Calls, precision: str) -> tuple[bytes, bytes]:
    """Bytes of the xml and the bin of a graph; int8 finds the ranges of its values on the calls."""
    model = _converted(calls)
    if precision == "int8":
        model = _quantised(model, calls)
    with TemporaryDirectory() as folder:
        xml, weights = Path(folder, "graph.xml"), Path(folder, "graph.bin")
        openvino().serialize(model, xml, weights)
        return xml.read_bytes(), weights.read_bytes()


def difference(graph: Graph, calls: Iterable[Call]) -> float:
    """Largest difference between a graph's outputs and torch's over all calls.

    Each output is measured in units of its own largest absolute value over all calls, or of 1 where that is smaller.
    Raises KaryobenchError when there are no calls.
    """
    apart, size = [], []
    for call in calls:
        pairs = list(zip(arrays(graph(*map(torch.from_numpy, call.inputs))), call.outputs, strict=True))
        apart.append([_apart(given, wanted) for given, wanted in pairs])
        size.append([np.abs(wanted).max() for _, wanted in pairs])
    if not apart:
        raise KaryobenchError(
            "none of the training patches that an exported graph is compared with torch on makes predict call it; "
            "train longer, or remove predict.runtime"
        )
    return float((np.max(apart, axis=0) / np.maximum(1, np.max(size, axis=0))).max())


def _apart(given: np.ndarray, wanted: np.ndarray) -> float:
    return np.abs(given - wanted).max() if given.shape == wanted.shape else np.inf


def _refuse(differences: dict[str, float], precision: str) -> None:
    tolerance = TOLERANCES[precision]
    for name, found in differences.items():
        if not found <= tolerance:  # NaN too
            raise KaryobenchError(
                f"graph '{name}' exported in {precision} differs from torch by {found:.2g} of its largest output, more "
                f"than {tolerance:.2g}; choose another predict.runtime.precision, or remove predict.runtime"
            )


def _spread(patches: Patches, count: int) -> list[np.ndarray]:
    """At most `count` images, evenly spread over the patches."""
    places = np.unique(np.linspace(0, len(patches) - 1, count).round().astype(int))
    return list(patches.batch(places).images)


def _in_odd_sizes(images: list[np.ndarray]) -> list[np.ndarray]:
    """The first image whole, the others cut, so that a graph that holds for one size alone is found out."""
    heights = (len(image) * (16 - number) // 16 for number, image in enumerate(images))
    return [
        image[:height, : image.shape[1] - number]
        for number, (image, height) in enumerate(zip(images, heights, strict=True))
    ]


def _converted(calls: Calls) -> Any:
    """The graph as an `openvino.Model` of float32, of any batch and size."""
    example = next(iter(calls), None)
    if example is None:
        raise KaryobenchError(
            f"graph '{calls.graph}': no training patch makes predict call it; train longer, or remove predict.runtime"
        )
    inputs = tuple(map(torch.from_numpy, example.inputs))
    try:
        with torch.no_grad(), warnings.catch_warnings(), undisturbed():
            warnings.simplefilter("ignore")  # of what may hold for this example alone: that is looked for afterwards
            return openvino().convert_model(_Method(calls.network, calls.graph), example_input=inputs)
    except Exception as error:  # OpenVINO and torch raise their own kinds for what they cannot trace
        raise KaryobenchError(f"graph '{calls.graph}' cannot be exported ({error}); remove predict.runtime") from error


class _Method(nn.Module):
    """A network whose forward is a method of another."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, *inputs: torch.Tensor) -> Tensors:
        return getattr(self.network, self.name)(*inputs)


def _quantised(model: Any, calls: Calls) -> Any:
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own function for this mutes the handlers of all others
    with redirect_stdout(io.StringIO()), undisturbed():  # without its progress bars
        return nncf.quantize(model, nncf.Dataset(calls, lambda call: list(call.inputs)), subset_size=10**6)
