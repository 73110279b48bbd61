"""The benchmark of runtimes: a whole prediction through OpenVINO is that of torch."""

import sys

import numpy as np
import pytest

import exporting
import smoke


@pytest.fixture
def runtimes(monkeypatch):
    monkeypatch.syspath_prepend(str(smoke.ROOT / "benchmarks"))
    import runtimes as module

    yield module
    for name in ("runtimes", "products", "harness"):
        sys.modules.pop(name, None)


def test_a_whole_prediction_is_timed_in_each_runtime(runtimes, monkeypatch):
    predict = {"resize": None, "proposals": 30, "confidence": 0, "nms": 0.9, "detections": 10}
    narrow = {"module": "prcnn", "graph": None, "network": exporting.RECORDS["prcnn"]["network"], "predict": predict}
    monkeypatch.setattr(runtimes, "NETWORKS", {"narrow": narrow})
    monkeypatch.setattr(runtimes, "SIDE", 64)
    monkeypatch.setattr(runtimes, "CALIBRATION_SIDE", 64)
    nuclei = runtimes.torch_eager("narrow")()
    assert 0 < nuclei.max() <= 10
    np.testing.assert_array_equal(runtimes.openvino_float32("narrow")() > 0, nuclei > 0)
