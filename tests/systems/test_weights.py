"""Weights on disk."""

import os

import pytest
import torch

from karyobench.systems import weights


@pytest.fixture
def umask():
    kept = os.umask(0)
    yield os.umask
    os.umask(kept)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_file_s_readers_are_those_of_any_file(tmp_path, umask, mask, mode):
    umask(mask)
    weights.write(tmp_path / "w.safetensors", {"a": torch.arange(3.0)})
    assert (tmp_path / "w.safetensors").stat().st_mode & 0o777 == mode
    assert torch.equal(weights.read(tmp_path / "w.safetensors")["a"], torch.arange(3.0))
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
