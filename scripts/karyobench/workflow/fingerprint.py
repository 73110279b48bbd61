"""Fingerprint of the library code that a step runs, so that a real edit reruns it and a comment does not."""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2]
_LIBRARY = "karyobench"
_POSITIONS = {"lineno", "col_offset", "end_lineno", "end_col_offset", "ctx", "type_comment", "kind"}


def code(step: str, module: Path | None = None) -> str:
    """Fingerprint of `scripts/{step}.py`, all library modules that it imports, directly or not, and one module more.

    Comments, docstrings, layout and file times do not count, and the Python version does not either: equal source
    gives an equal fingerprint. Systems and readers are found at run time by name, so the one that a job uses is given.
    """
    sources = set(_closure(SCRIPTS / f"{step}.py"))
    if module is not None:
        sources |= set(_closure(module.resolve()))
    told = hashlib.sha256()
    for path in sorted(sources, key=_name):
        told.update(f"{_name(path)}\n{_form_of(path)}\n".encode())
    return f"code:{told.hexdigest()[:16]}"


def canonical_form(source: str) -> str:
    """Text that is equal for two sources that differ in comments, docstrings and layout alone.

    Node names with their non-empty fields: an empty field that a newer Python adds to a node leaves no trace.
    """
    tree = ast.parse(source)
    return _form(tree)


def _form(value: object) -> str:
    if isinstance(value, ast.AST):
        fields = ((name, _essential(value, name, child)) for name, child in ast.iter_fields(value))
        told = (f"{n}={_form(c)}" for n, c in sorted(fields) if n not in _POSITIONS and c is not None and c != [])
        return f"{type(value).__name__}({','.join(told)})"
    if isinstance(value, list):
        return f"[{','.join(map(_form, value))}]"
    return repr(value)


def _essential(node: ast.AST, name: str, child: object) -> object:
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    if documented and name == "body" and ast.get_docstring(node, clean=False) is not None:
        return child[1:]
    if isinstance(node, ast.JoinedStr):
        # Python 3.12 adds empty texts to nested format specifications.
        return [part for part in child if not (isinstance(part, ast.Constant) and part.value == "")]
    return child


@functools.cache
def _form_of(path: Path) -> str:
    return canonical_form(path.read_text(encoding="utf-8"))


def _name(path: Path) -> str:
    return path.relative_to(SCRIPTS).as_posix() if path.is_relative_to(SCRIPTS) else path.name


@functools.cache
def _closure(start: Path) -> frozenset[Path]:
    """`start` and every library file that it imports, directly or not."""
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_library_imports(path))
    return frozenset(seen)


@functools.cache
def _library_imports(path: Path) -> frozenset[Path]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = (_files_of(name) for node in ast.walk(tree) for name in _imported_names(node))
    return frozenset(file for files in found for file in files)


def _imported_names(node: ast.AST) -> Iterator[str]:
    """Dotted names under the library that an import statement may load; the library has no relative imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        names = []
    return (name for name in names if name.split(".")[0] == _LIBRARY)


def _files_of(name: str) -> Iterator[Path]:
    """Files that an import of `name` runs: the module, and the `__init__` of each package above it."""
    path = SCRIPTS
    for part in name.split("."):
        path = path / part
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file
