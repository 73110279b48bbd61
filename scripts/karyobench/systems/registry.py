"""Find the module of a system by its name, or by the path of a module outside the library."""

import ast
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from karyobench.errors import KaryobenchError, nearest

_ROOM = Path(__file__).parent
_NOT_SYSTEMS = {"__init__", "base", "registry", "common", "labels", "networks", "overview", "weights"}
_ALWAYS = ("TASK", "OUTPUT", "TRAINED", "KEYS", "predict")
_BY_KIND = {"maps": ("instances",), "instances": (), "classes": ()}
_TRAINED = ("build", "examples", "loss")


def names() -> list[str]:
    """Names of the systems in the library, sorted."""
    return sorted(path.stem for path in _ROOM.glob("*.py") if path.stem not in _NOT_SYSTEMS)


def path_of(module: str) -> Path:
    """File of a system module: `unet3` in the library, or a path ending in `.py`.

    Raises KaryobenchError when there is no such file.
    """
    path = Path(module) if module.endswith(".py") else _ROOM / f"{module}.py"
    if path.is_file() and path.stem not in _NOT_SYSTEMS:
        return path
    raise KaryobenchError(
        f"systems: there is no system module '{module}'{nearest(module, names())}; "
        "a module outside the library is named by a path that ends in .py"
    )


def declared(module: str, name: str, absent: Any = None) -> Any:
    """Value of a literal at the top of a system module, read without importing it: the DAG needs no torch.

    absent: the value of an optional literal that the module does not declare. Raises KaryobenchError without one.
    """
    path = path_of(module)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return ast.literal_eval(node.value)
    if absent is not None:
        return absent
    raise KaryobenchError(f"{path} declares no {name}; see systems/base.py")


def defines(module: str, function: str) -> bool:
    """Whether a system module has a function, its own or one that it imports by name, told without importing it."""
    body = ast.parse(path_of(module).read_text(encoding="utf-8")).body
    own = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    shared = {name.asname or name.name for node in body if isinstance(node, ast.ImportFrom) for name in node.names}
    return function in own | shared


def load(module: str) -> ModuleType:
    """Import a system module and check that it gives all that its kind needs (`systems/base.py`)."""
    path = path_of(module)
    if path.parent == _ROOM:
        system = importlib.import_module(f"karyobench.systems.{path.stem}")
    else:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        system = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(system)
    _check(system, module)
    return system


def _check(system: ModuleType, module: str) -> None:
    needed = list(_ALWAYS)
    needed += _TRAINED if getattr(system, "TRAINED", False) else ()
    needed += _BY_KIND.get(getattr(system, "OUTPUT", None), ())
    missing = [name for name in needed if not hasattr(system, name)]
    if missing:
        raise KaryobenchError(f"system module '{module}' lacks {', '.join(missing)}; see systems/base.py")
    if system.OUTPUT not in _BY_KIND:
        raise KaryobenchError(f"system module '{module}': OUTPUT is '{system.OUTPUT}', none of {', '.join(_BY_KIND)}")
