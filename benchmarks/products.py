"""Peers that tell how fast a machine multiplies matrices: the floor under what a network takes on it.

Plain products of 1024 x 1024 through OpenVINO, which run in turns with a benchmark's other peers, so that a slow spell
of the machine falls on all.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import harness
import numpy as np

PEERS = [
    harness.Peer("float32", "float32", packages=("openvino",), module=__file__),
    harness.Peer("bfloat16", "bfloat16", packages=("openvino",), module=__file__),
]
SIDE, DEPTH = 1024, 4


def float32(nothing: str):
    """Matrix products in float32."""
    return _products("float32")


def bfloat16(nothing: str):
    """Matrix products in bfloat16."""
    return _products("bfloat16")


def speeds(rows: Sequence[harness.Row]) -> dict[str, float]:
    """Operations per second by precision, of the fastest round."""
    names = {peer.name for peer in PEERS}
    return {row.peer: 2 * DEPTH * SIDE**3 / min(row.rounds) for row in rows if row.peer in names}


def apart(rows: Sequence[harness.Row]) -> list[harness.Row]:
    """The rows without those of the products."""
    names = {peer.name for peer in PEERS}
    return [row for row in rows if row.peer not in names]


def _products(precision: str):
    import torch

    from karyobench.inference import runtimes

    ov = runtimes.openvino()
    given = ov.opset13.parameter([SIDE, SIDE], np.float32)
    made = given
    for seed in range(DEPTH):
        weights = np.random.default_rng(seed).normal(0, SIDE**-0.5, (SIDE, SIDE)).astype(np.float32)
        made = ov.opset13.relu(ov.opset13.matmul(made, ov.opset13.constant(weights), False, True))
    with tempfile.TemporaryDirectory() as folder:
        ov.serialize(ov.Model([made], [given]), f"{folder}/graph.xml", f"{folder}/graph.bin")
        graph = Path(folder, "graph.xml").read_bytes(), Path(folder, "graph.bin").read_bytes()
    run = runtimes.compiled(graph, precision, torch.get_num_threads())
    values = torch.ones(SIDE, SIDE)
    return lambda: run(values).numpy()
