"""Networks in OpenVINO against eager torch: seconds of one 512 x 512 input, difference, and the AP that is left.

PYTHONPATH=scripts python benchmarks/runtimes.py
PYTHONPATH=scripts python benchmarks/runtimes.py --accuracy unet3-hgsc --dataset hgsc    where config.yaml was run

Speed: the papers' own widths (`FULL` of each system) with random weights; the image is random. Torch has its memory as
it comes (N, C, H, W) and, as the systems build their networks, channels last. Of P-RCNN the trunk is timed (ResNet-101,
pyramid and region network), and all of `predict`, from a tile of 256 x 256 pixels to its map of nuclei: trunk,
proposals, RoIAlign, heads, masks. No box is too unlikely there, so that all 1,000 proposals and 400 masks are worked
on, as of the densest tiles; its input is laid out channels last whatever the weights are. int8 is calibrated on two
random images here.
Accuracy: an experiment of config.yaml, trained by the workflow, is exported on its training patches, as the step
`export` does, and predicts the test images in each runtime; AP and AJI are means over the images.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import harness
import numpy as np
import products

NETWORKS = {
    "U-Net, 31 M": {"module": "unet3", "graph": "forward"},
    "MCSA-Unet": {"module": "mcsa_unet", "graph": "forward"},
    "P-RCNN's trunk": {
        "module": "prcnn",
        "graph": "trunk",
        "predict": {"resize": None, "proposals": 100, "confidence": 0.5, "nms": 0.3, "detections": 10},
    },
    "P-RCNN, all of predict": {
        "module": "prcnn",
        "graph": None,
        "predict": {"resize": None, "proposals": 1000, "confidence": 0, "nms": 0.9, "detections": 400},
    },
}
PEERS = [
    harness.Peer("torch", "torch_eager", packages=("torch",)),
    harness.Peer("torch, channels last", "torch_channels_last"),
    harness.Peer("OpenVINO float32", "openvino_float32", packages=("openvino", "nncf")),
    harness.Peer("OpenVINO bfloat16", "openvino_bfloat16"),
    harness.Peer("OpenVINO int8", "openvino_int8"),
]
PRECISIONS = ("float32", "bfloat16", "int8")
SIDE, CALIBRATION_SIDE = 512, 256


def torch_eager(name: str) -> Callable[[], np.ndarray]:
    """Memory as torch lays it out."""
    import torch

    return _torch(name, torch.contiguous_format)


def torch_channels_last(name: str) -> Callable[[], np.ndarray]:
    """Memory as the systems lay it out."""
    import torch

    return _torch(name, torch.channels_last)


def openvino_float32(name: str) -> Callable[[], np.ndarray]:
    """The project's export in float32."""
    return _exported(name, "float32")


def openvino_bfloat16(name: str) -> Callable[[], np.ndarray]:
    """The project's export in bfloat16."""
    return _exported(name, "bfloat16")


def openvino_int8(name: str) -> Callable[[], np.ndarray]:
    """The project's export in int8."""
    return _exported(name, "int8")


def _torch(name: str, layout) -> Callable[[], np.ndarray]:
    system, network, config = _built(name)
    return _timed(system, network.to(memory_format=layout), config, layout)


def _exported(name: str, precision: str) -> Callable[[], np.ndarray]:
    import torch

    from karyobench.inference.calls import Calls, graph_names
    from karyobench.inference.export import exported_graph
    from karyobench.inference.runtimes import StandIn, compiled

    system, network, config = _built(name)
    side = CALIBRATION_SIDE // config["network"].get("scale", 1)
    images = list(np.random.default_rng(1).integers(0, 256, (2, side, side, 3)).astype(np.uint8))
    graphs = {}
    for graph in [config["graph"]] if config["graph"] else graph_names(system):
        made = exported_graph(Calls(system, network, graph, images, config), precision)
        graphs[graph] = compiled(made, precision, torch.get_num_threads())
    return _timed(system, StandIn(**graphs), config, torch.contiguous_format)


def _timed(system, network, config: dict, layout) -> Callable[[], np.ndarray]:
    """A graph of a network on an image, or the system's whole prediction of a tile."""
    import torch

    if config["graph"] is None:
        tile = _tile(SIDE // config["network"]["scale"])
        return lambda: system.predict(network, tile, config)
    graph = getattr(network, config["graph"])
    image = torch.from_numpy(_image(SIDE)).to(memory_format=layout)

    def call() -> np.ndarray:
        with torch.inference_mode():
            return _last(graph(image))

    return call


def _built(name: str):
    """System, network with random weights, and record."""
    import torch

    from karyobench.systems import registry

    torch.manual_seed(0)
    system = registry.load(NETWORKS[name]["module"])
    config = {**system.FULL, **NETWORKS[name]}
    network = system.build(config).eval()
    _calm(network)
    return system, network, config


def _calm(network) -> None:
    """Let each block of a ResNet add little to its input: without statistics that normalise, values reach 10^5."""
    from torch import nn

    from karyobench.systems.rcnn.backbone import Bottleneck

    for module in network.modules():
        if isinstance(module, Bottleneck):
            nn.init.constant_(module.bn3.weight, 0.2)


def _tile(side: int):
    """A random tile that is its whole image."""
    from karyobench.systems.base import Tile

    image = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    box = (0, 0, side, side)
    return Tile(image, "random", box, "random", box, image_type="he")


def _image(side: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (1, 3, side, side)).astype(np.float32)


def _last(outputs) -> np.ndarray:
    """The last of several outputs."""
    return (outputs[-1] if isinstance(outputs, tuple) else outputs).numpy()


def difference(row: harness.Row, rows: list[harness.Row]) -> str:
    """Largest difference from torch, absolute and against torch's largest value; of nuclei, their pixels."""
    torch = next(r.result for r in rows if r.peer == "torch" and r.input == row.input)
    if np.issubdtype(row.result.dtype, np.integer):
        alike = ((row.result > 0) == (torch > 0)).mean()
        return f"{len(np.unique(row.result)) - 1} nuclei seen, {100 * alike:.1f}% of pixels alike"
    apart = np.abs(row.result - torch).max()
    return f"{apart:.1e} ({apart / np.abs(torch).max():.1e} of the largest)"


def floors(rows: list[harness.Row]) -> str:
    """What the machine's fastest products would need for each network, and the share that each peer reaches."""
    lines = []
    for name in dict.fromkeys(row.input for row in rows):
        work, of_name = _operations(name), [row for row in rows if row.input == name]
        for precision, speed in products.speeds(of_name).items():
            floor = f"at {speed / 1e9:.0f} GFLOP/s, {work / 1e9:.0f} GFLOP take {work / speed:.2f} s"
            compared = [row for row in of_name if row.peer == f"OpenVINO {precision}"]
            lines += [f"{name}: {floor}; {row.peer} is at {100 * work / speed / row.seconds:.0f}%." for row in compared]
    return "\n".join(lines)


def _operations(name: str) -> int:
    """Additions and multiplications of a network's products."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    call = _timed(*_built(name), torch.contiguous_format)
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def accuracy(experiment: str, dataset: str, seed: str) -> str:
    """Markdown table of an experiment's scores in each runtime."""
    import yaml
    from snakemake.utils import validate

    from karyobench.workflow import start

    config = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
    start.read(config, Path(__file__).resolve().parents[1], validate)
    catalogue = start.Catalogue(config)
    job = SimpleNamespace(experiment=experiment, dataset=dataset, seed=seed)
    lines = [("runtime", "difference from torch", "images", "AP", "against torch", "AJI"), ("---",) * 6]
    with tempfile.TemporaryDirectory() as folder:
        first = None
        for precision in (None, *PRECISIONS):
            apart, counts = _counts(catalogue, job, precision, Path(folder))
            ap, aji = _means(counts, config["metrics"])
            first = ap if first is None else first
            name = f"OpenVINO {precision}" if precision else "torch"
            lines.append((name, apart, str(len(counts)), f"{ap:.4f}", f"{ap - first:+.4f}", f"{aji:.4f}"))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _counts(catalogue, job: SimpleNamespace, precision: str | None, folder: Path):
    """Largest difference from torch as text, and the counts of every test image."""
    from karyobench.inference import exported
    from karyobench.inference.export import export
    from karyobench.inference.merge import merge
    from karyobench.inference.predict import predict
    from karyobench.metrics.evaluate import evaluate
    from karyobench.workflow import paths, slices

    config = slices.predict(catalogue, job)
    weights, split = catalogue.trained_weights(job), paths.SPLIT.format(dataset=job.dataset)
    apart = ""
    if precision:
        config["predict"] = {**config["predict"], "runtime": {"name": "openvino", "precision": precision}}
        export(config, weights, catalogue.patches(job), folder / "network.zip")
        weights = folder / "network.zip"
        apart = f"{max(exported.read(weights).record['graphs'].values()):.1e}"
    predict(config, catalogue.test_images(job), split, weights, folder / "tiles.h5")
    merge(slices.merge(catalogue, job), folder / "tiles.h5", folder / "merged.h5")
    truth = catalogue.ingested(job.dataset)
    return apart, evaluate(truth, split, folder / "merged.h5", slices.evaluate(catalogue, job))


def _means(counts, metrics) -> tuple[float, float]:
    from karyobench.metrics.scores import macro

    scores = macro(counts, metrics)
    return scores["ap"], scores["aji"]


def main() -> None:
    """Measure and print the tables."""
    parser = harness.parser(__doc__)
    parser.add_argument("--accuracy", metavar="EXPERIMENT", help="score a trained experiment instead")
    parser.add_argument("--dataset", help="dataset whose test images are scored")
    parser.add_argument("--seed", default="1", help="of the experiment")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS, help="networks to time")
    args: argparse.Namespace = parser.parse_args()
    if args.accuracy:
        print(accuracy(args.accuracy, args.dataset, args.seed))
        return
    rows = harness.run(__file__, [*PEERS, *products.PEERS], {name: name for name in args.networks}, args)
    timed = products.apart(rows)
    table = harness.table(timed, "torch", ("difference", lambda row: difference(row, timed)))
    print(table, floors(rows), harness.machine(rows), sep="\n\n")


if __name__ == "__main__":
    sys.exit(main())
