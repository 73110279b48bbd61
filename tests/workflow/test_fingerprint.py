"""The code fingerprint sees real edits and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from karyobench.workflow import fingerprint

SOURCE = '''"""Module docstring."""
import os


def area(width: int, *, height: int = 2) -> int:
    """Area in pixels."""
    return width * height + len(f"{os.sep}{width:>3}")
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Module docstring."""\n', ""),
        ('    """Area in pixels."""\n', ""),
        ("    return width", "    # why\n    return width"),
        ("width * height", "(width\n        * height)"),
        ('f"{os.sep}{width:>3}"', "f'{os.sep}{width:>3}'"),
    ],
)
def test_layout_comments_and_docstrings_leave_no_trace(old: str, new: str) -> None:
    assert old in SOURCE
    assert fingerprint.canonical_form(SOURCE.replace(old, new)) == fingerprint.canonical_form(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width * height", "width + height"),
        ("height: int = 2", "height: int = 3"),
        ("= 2", "= 2.0"),
        ("*, height", "height"),
        (":>3", ":>4"),
        ("import os", "import os as _os"),
    ],
)
def test_real_edits_show(old: str, new: str) -> None:
    assert old in SOURCE
    assert fingerprint.canonical_form(SOURCE.replace(old, new)) != fingerprint.canonical_form(SOURCE)


PINNED = (
    "Module(body=[FunctionDef(args=arguments(args=[arg(arg='x')],kw_defaults=[Constant()],kwarg=arg(arg='"
    "k'),kwonlyargs=[arg(arg='z')],vararg=arg(arg='y')),body=[Return(value=BoolOp(op=Or(),values=[ListCom"
    "p(elt=JoinedStr(values=[FormattedValue(conversion=114,format_spec=JoinedStr(values=[Constant(value='"
    ">'),FormattedValue(conversion=-1,value=Name(id='x'))]),value=Name(id='a'))]),generators=[comprehensi"
    "on(ifs=[Name(id='a')],is_async=0,iter=Name(id='y'),target=Name(id='a'))]),Dict(keys=[None,Constant(v"
    "alue='z')],values=[Name(id='k'),Name(id='z')])]))],name='f')])"
)


def test_the_form_is_the_same_on_every_python() -> None:
    """Pinned, so that the runs of CI on other Python versions compare with this one."""
    source = "def f(x, *y, z=None, **k):\n    return [f'{a!r:>{x}}' for a in y if a] or {**k, 'z': z}\n"
    assert fingerprint.canonical_form(source) == PINNED


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_other_pythons_on_this_machine_agree(version: str) -> None:
    python = shutil.which(f"python{version}")
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    works = python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    if not works or version == ours:
        pytest.skip(f"no other python{version} here")
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from karyobench.workflow import fingerprint\n"
        "print(fingerprint.code('train', pathlib.Path(sys.argv[1]) / 'karyobench/systems/unet3.py'))"
    )
    told = subprocess.run([python, "-c", script, str(fingerprint.SCRIPTS)], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == fingerprint.code("train", fingerprint.SCRIPTS / "karyobench/systems/unet3.py")


def names(step: str, module: str | None = None) -> set[str]:
    """Library modules in a step's fingerprint."""
    found = set(fingerprint._closure(fingerprint.SCRIPTS / f"{step}.py"))
    if module:
        found |= fingerprint._closure(fingerprint.SCRIPTS / f"karyobench/systems/{module}.py")
    return {path.relative_to(fingerprint.SCRIPTS).as_posix() for path in found}


def test_a_step_depends_on_what_it_imports_and_no_more() -> None:
    train = names("train", "unet3")
    assert {"train.py", "karyobench/cli.py", "karyobench/training/loop.py", "karyobench/patches/reading.py"} <= train
    assert not any(
        name.startswith(("karyobench/metrics", "karyobench/reporting", "karyobench/workflow")) for name in train
    )
    assert "karyobench/systems/alexnet.py" not in train


def test_no_step_but_those_of_the_report_sees_the_reporting_room() -> None:
    for step in ("download", "ingest", "split", "normalize", "patch", "train", "predict", "merge", "evaluate"):
        assert not any("reporting" in name for name in names(step)), step


def test_rooms_import_in_one_direction() -> None:
    order = ["datasets", "stain", "patches", "systems", "training", "inference", "metrics", "reporting"]
    library = fingerprint.SCRIPTS / "karyobench"
    for rank, room in enumerate(order):
        for path in (library / room).rglob("*.py"):
            for imported in fingerprint._library_imports(path):
                target = imported.relative_to(library).parts[0]
                assert target not in order[rank + 1 :], f"{path} imports backwards: {imported}"


def test_no_library_module_imports_snakemake() -> None:
    for path in (fingerprint.SCRIPTS / "karyobench").rglob("*.py"):
        assert "import snakemake" not in path.read_text() and "from snakemake" not in path.read_text(), path


def test_an_outside_module_counts_by_content(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text("A = 1\n")
    first = fingerprint.code("predict", module)
    other = tmp_path / "b" / "mine.py"
    other.parent.mkdir()
    other.write_text("A = 2\n")
    assert fingerprint.code("predict", other) != first
    other.with_name("mine2.py").write_text("A = 1\n")
    assert fingerprint.code("predict", module) == first
