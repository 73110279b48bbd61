"""Systems are found by name, or by the path of a file outside the library; one that lacks a part is refused."""

import ast
import importlib.util

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from karyobench.systems import registry
from karyobench.systems.base import Tile

DUMMY = """
import numpy as np
TASK, OUTPUT = "everything is one nucleus", "instances"
TRAINED = False
KEYS = {"predict": ("tile", "label"), "instances": ("min_edge",)}

def predict(network, tile, config):
    return np.full(tile.image.shape[:2], config["predict"]["label"], np.int32)
"""
UNTRAINED = {"otsu", "watershed", "precomputed", "one_class"} | {
    f"oracle_{name}" for name in ("truth", "empty", "shifted", "merged", "split", "class")
}


def test_the_library_has_its_systems():
    assert set(registry.names()) >= UNTRAINED | {"unet3", "alexnet"}


@pytest.mark.parametrize("name", registry.names())
def test_every_system_of_the_library_fits_the_contract(name):
    system = registry.load(name)
    assert registry.declared(name, "TRAINED") is system.TRAINED is (name not in UNTRAINED)
    assert registry.declared(name, "KEYS") == system.KEYS
    assert registry.declared(name, "TASK") == system.TASK
    assert "\n" not in system.TASK


@pytest.mark.parametrize("name", sorted(UNTRAINED))
def test_untrained_systems_do_not_know_torch(name):
    tree = ast.parse(registry.path_of(name).read_text(encoding="utf-8"))
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not any(module.split(".")[0] == "torch" or module.endswith("networks") for module in imported)


def test_a_system_outside_the_library_is_loaded_by_its_path(tmp_path):
    (tmp_path / "mine.py").write_text(DUMMY)
    system = registry.load(str(tmp_path / "mine.py"))
    tile = Tile(np.zeros((3, 4, 3), np.uint8), "a", (0, 0, 3, 4), "a", (0, 0, 3, 4), "he")
    assert (system.predict(None, tile, {"predict": {"label": 6}}) == 6).all()
    assert importlib.util.find_spec("mine") is None


def test_a_function_counts_where_it_is_defined_or_imported_by_name():
    assert registry.defines("prcnn", "build")
    assert registry.defines("prcnn", "adopt")
    assert not registry.defines("prcnn", "instances")


def test_a_misspelt_system_names_the_nearest():
    with pytest.raises(KaryobenchError, match=r"no system module 'watershd' \(did you mean 'watershed'\?\)"):
        registry.load("watershd")


@pytest.mark.parametrize("name", ["base", "registry", "common", "networks", "__init__"])
def test_what_is_no_system_is_not_loaded_as_one(name):
    with pytest.raises(KaryobenchError, match=f"no system module '{name}'"):
        registry.load(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("def predict", "def other"), "lacks predict"),
        (('"instances"\n', '"maps"\n'), "lacks instances"),
        (("TRAINED = False", "TRAINED = True"), "lacks build, examples, loss"),
        (('"instances"\n', '"boxes"\n'), "OUTPUT is 'boxes'"),
    ],
)
def test_a_system_that_lacks_a_part_is_refused(tmp_path, change, message):
    (tmp_path / "mine.py").write_text(DUMMY.replace(*change))
    with pytest.raises(KaryobenchError, match=message):
        registry.load(str(tmp_path / "mine.py"))
