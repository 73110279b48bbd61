"""Readers are found by name."""

import pytest

from karyobench.datasets import readers
from karyobench.errors import KaryobenchError


def test_an_unknown_reader() -> None:
    with pytest.raises(KaryobenchError, match=r"there is no reader 'dsb2017'.*did you mean 'dsb2018'"):
        readers.find("dsb2017")
