"""Maps of the improved AlexNet: every window on its own, and all windows of an image together, by torch and OpenVINO.

PYTHONPATH=scripts python benchmarks/alexnet.py [--system alexnet_literal]

The network has random weights, the images are random. The window loop is torch's, 256 windows at a time. It classifies
every 16th row of the image alone, and the table gives 16 times what that took; no other number is extrapolated.

The floor is what the fully connected layers of each pixel but the last (64 x 1024 and 1024 x 1024 products in
`alexnet`) would take at the speed of OpenVINO's plain matrix products on this machine, in the same run: pixels cannot
share them. The second table takes an image from a dataset's file to its instance map by the steps predict and merge.
"""

import copy
import os
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import harness
import numpy as np
import products

TORCH, OPENVINO = ("torch", "numpy"), ("openvino", "torch", "numpy")
LOOP = "window loop, torch"
PEERS = [
    harness.Peer("dense, torch", "dense_torch", packages=TORCH),
    harness.Peer("dense, OpenVINO float32", "dense_float32", packages=OPENVINO),
    harness.Peer("dense, OpenVINO bfloat16", "dense_bfloat16", packages=OPENVINO),
    harness.Peer(LOOP, "window_loop", packages=TORCH),
]
WHOLE = [
    harness.Peer("predict and merge, torch", "steps_torch", packages=TORCH),
    harness.Peer("predict and merge, OpenVINO float32", "steps_float32", packages=OPENVINO),
    harness.Peer("predict and merge, OpenVINO bfloat16", "steps_bfloat16", packages=OPENVINO),
]
EVERY, BATCH = 16, 256


def system():
    """The module of the system, which the environment names: the peers' processes know nothing else."""
    return import_module(f"karyobench.systems.{os.environ.get('BENCHMARK_SYSTEM', 'alexnet')}")


def record(precision: str | None = None) -> dict:
    """The system's record."""
    predict = {"tile": 512, "overlap": 0} | (
        {"runtime": {"name": "openvino", "precision": precision}} if precision else {}
    )
    instances = {"threshold": 0.5, "min_area": 30}
    module = system().__name__.split(".")[-1]
    return system().FULL | {"module": module, "threads": threads(), "predict": predict, "instances": instances}


def threads() -> int:
    """As the harness has set them."""
    return int(os.environ.get("OMP_NUM_THREADS", "2"))


def network():
    """The network with its random weights."""
    import torch

    torch.set_num_threads(threads())
    torch.manual_seed(0)
    model = system().build(system().FULL).eval()
    with torch.no_grad():
        # As they are drawn, weights give every window nearly the same answer, and all maps would look equal.
        model.classifier[-1].weight.mul_(100)
    return model


def dense_torch(image: str):
    """This project with torch."""
    return _predicting(network(), image)


def dense_float32(image: str):
    """This project with OpenVINO in float32."""
    return _exported("float32", image)


def dense_bfloat16(image: str):
    """This project with OpenVINO in bfloat16."""
    return _exported("bfloat16", image)


def window_loop(image: str):
    """Every window on its own, of every 16th row."""
    import torch

    from karyobench.systems.networks import as_input

    model = network()
    padded = as_input(_padded(np.load(image))[None])[0].contiguous()
    windows = padded.unfold(1, 32, 1).unfold(2, 32, 1)[:, ::EVERY].permute(1, 2, 0, 3, 4)

    def run() -> np.ndarray:
        rows = []
        with torch.inference_mode():
            for row in windows:
                logits = [model(row[start : start + BATCH]) for start in range(0, len(row), BATCH)]
                rows.append(torch.cat(logits).softmax(dim=1)[:, 1].numpy())
        return np.stack(rows)

    return run


def steps_torch(image: str):
    """The steps with torch."""
    return _steps(None, image)


def steps_float32(image: str):
    """The steps with OpenVINO in float32."""
    return _steps("float32", image)


def steps_bfloat16(image: str):
    """The steps with OpenVINO in bfloat16."""
    return _steps("bfloat16", image)


def _padded(image: np.ndarray) -> np.ndarray:
    return np.pad(image, (system().CONTEXT, system().CONTEXT, (0, 0)))


def _predicting(model, image: str):
    from karyobench.systems.base import Tile

    pixels = np.load(image)
    box = (0, 0, *pixels.shape[:2])
    tile = Tile(_padded(pixels), "image", box, "image", box, "he")
    return lambda: system().predict(model, tile, record())[0]


def _graphs(precision: str) -> dict[str, tuple[bytes, bytes]]:
    """The network's graphs as the step export makes them."""
    from karyobench.inference.calls import Calls
    from karyobench.inference.export import exported_graph

    patch = np.random.default_rng(0).integers(0, 256, (64, 70, 3), dtype=np.uint8)
    return {
        name: exported_graph(Calls(system(), network(), name, [patch], record()), precision) for name in system().GRAPHS
    }


def _exported(precision: str, image: str):
    from karyobench.inference import runtimes

    graphs = _graphs(precision).items()
    model = runtimes.StandIn(**{name: runtimes.compiled(graph, precision, threads()) for name, graph in graphs})
    return _predicting(model, image)


def _steps(precision: str | None, image: str):
    """Predict and merge as the workflow runs them, in a folder that lives as long as the process."""
    import pandas as pd

    from karyobench.datasets.store import Field, open_hdf5, writing
    from karyobench.inference.merge import merge
    from karyobench.inference.predict import predict

    kept = tempfile.TemporaryDirectory()
    folder, config = Path(kept.name), record(precision) | {"splits": ["test"]}
    about = {"image_type": "he", "group": "image", "parent": "image"}
    with writing(folder / "images.h5") as writer:
        writer.add(Field("image", np.load(image), None, about, {}))
    pd.DataFrame({"image": ["image"], "split": ["test"]}).to_csv(folder / "split.csv", index=False)
    weights = _saved(folder, precision)

    def run(kept: object = kept) -> np.ndarray:
        predict(config, folder / "images.h5", folder / "split.csv", weights, folder / "tiles.h5")
        merge(config, folder / "tiles.h5", folder / "merged.h5")
        with open_hdf5(folder / "merged.h5") as merged:
            return merged["image/instances"][()]

    return run


def _saved(folder: Path, precision: str | None) -> Path:
    """The weights, or the exported network, as the step predict reads them."""
    from safetensors.torch import save_file

    from karyobench.inference import exported
    from karyobench.training.checkpoint import weights

    if precision is None:
        save_file(weights(network()), folder / "weights.safetensors")
        return folder / "weights.safetensors"
    about = {name: record()[name] for name in ("module", "network")}
    about |= {"precision": precision, "graphs": list(system().GRAPHS)}
    exported.write(folder / "network.zip", exported.Exported(_graphs(precision), about))
    return folder / "network.zip"


def scaled(rows: list[harness.Row]) -> list[harness.Row]:
    """The rows of maps, with the window loop's times for all windows."""
    return [
        replace(row, rounds=[seconds * EVERY for seconds in row.rounds]) if row.peer == LOOP else row
        for row in products.apart(rows)
    ]


def apart(rows: list[harness.Row]):
    """How far each peer's map is from the window loop's, on the rows that both have."""
    loop = next((row.result for row in rows if row.peer == LOOP), None)

    def told(row: harness.Row) -> str:
        return "" if loop is None or row.peer == LOOP else f"{np.abs(row.result[::EVERY] - loop).max():.1e}"

    return told


def floors(rows: list[harness.Row], pixels: int) -> str:
    """What the machine's fastest products would need for the wide layers, and the share that each peer reaches."""
    work = pixels * sum(2 * layer.weight.numel() for layer in network().classifier[:-1])
    lines = []
    for precision, speed in products.speeds(rows).items():
        line = f"{precision}: {speed / 1e9:.0f} GFLOP/s, so {work / 1e9:.0f} GFLOP take {work / speed:.2f} s"
        compared = [row for row in rows if row.peer == f"dense, OpenVINO {precision}"]
        lines += [f"{line}; {row.peer} is at {100 * work / speed / row.seconds:.0f}% of that" for row in compared]
    return "\n".join(f"{line}." for line in lines)


def saved(folder: str, side: int) -> dict[str, str]:
    """A random image of so many pixels a side, by its name in the tables."""
    path = f"{folder}/{side}.npy"
    np.save(path, np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8))
    return {f"{side} x {side}": path}


def main() -> None:
    """Measure and print the tables."""
    parser = harness.parser(__doc__)
    parser.add_argument("--system", default="alexnet", help="a classifier of windows: its module")
    parser.add_argument("--side", type=int, default=512, help="side of the image in pixels")
    parser.add_argument("--whole", type=int, default=2000, help="side of the image that goes through the steps")
    args = parser.parse_args()
    os.environ["BENCHMARK_SYSTEM"] = args.system
    with tempfile.TemporaryDirectory() as folder:
        # Products and maps together, so that a slow spell of the machine falls on both.
        both = harness.run(__file__, [*PEERS, *products.PEERS], saved(folder, args.side), args)
        once = copy.copy(args)
        once.rounds = 1
        whole = harness.run(__file__, WHOLE, saved(folder, args.whole), once)
    rows = scaled(both)
    tables = [harness.table(rows, rows[0].peer, ("from the loop", apart(rows))), floors(both, args.side**2)]
    tables += [harness.table(whole, whole[0].peer)] if whole else []
    print(harness.machine([*both, *whole]), f"System: {args.system}.", *filter(None, tables), sep="\n\n")


if __name__ == "__main__":
    main()
