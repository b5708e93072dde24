"""The rooms and who may import whom, read from the source; what `import symcalc` costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "symcalc"
FACE = "(the public names)"  # `import symcalc` itself, as a user writes it

SPINE = ["notation", "calculus", "program", "backends", "verify", "report"]
ABOVE_BACKENDS = {*SPINE[:4], "catalogue", FACE}
MAY_IMPORT = {room: set(SPINE[:place]) for place, room in enumerate(SPINE)} | {
    "catalogue": {"notation"},
    "bench": ABOVE_BACKENDS,
    "symcalc_peer": {*ABOVE_BACKENDS, "bench", "api"},  # stands where a user of symcalc stands
    "hosts": ABOVE_BACKENDS,
    "learn": {*ABOVE_BACKENDS, "hosts"},
    "api": {*SPINE, "catalogue", "bench", "parallel"},
    FACE: {*SPINE, "catalogue", "bench", "api", "learn"},
    "testing": {*SPINE, "catalogue", "api"},
    "arguments": {"notation", "catalogue"},
    "parallel": {"backends"},
    "terminal": {"notation", "calculus", "catalogue"},
    "cli_learn": {"notation", "catalogue", "learn", "arguments", "terminal"},
    "cli": {
        *SPINE,
        "catalogue",
        "bench",
        "api",
        "arguments",
        "parallel",
        "terminal",
        "cli_learn",
        FACE,
    },
    "__main__": {"cli"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of symcalc.calculus.steps is calculus."""
    parts = module.split(".")
    if parts[-1] == "symcalc_peer":
        return parts[-1]
    is_room = len(parts) > 1 and (
        (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file()
    )
    return parts[1] if is_room else FACE


def module_of(path: Path) -> str:
    names = ["symcalc", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imports(source: str, module: str, is_package: bool) -> set[str]:
    """Every symcalc module that a source names in an import, at any depth of it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                anchor = module.split(".")[: None if is_package else -1]
                anchor = anchor[: len(anchor) - node.level + 1]
                base = ".".join([*anchor, *filter(None, [node.module])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "symcalc"}


def forbidden(source: str, module: str, is_package: bool = False) -> set[str]:
    """What a module imports and may not: of another room, or of a sibling backend."""
    room = room_of(module)
    wrong: set[str] = set()
    for name in imports(source, module, is_package):
        other = room_of(name)
        if other != room and other not in MAY_IMPORT[room]:
            wrong.add(name)
        if room == other == "backends" and kind_of(name) not in (None, kind_of(module)):
            wrong.add(name)
    return wrong


def kind_of(module: str) -> str | None:
    """Which backend a module belongs to; None for what all of them share."""
    file = [*module.split("."), "", ""][2]
    return next((kind for kind in ("numba", "numpy") if file.startswith(f"{kind}_")), None)


def test_every_room_has_its_place() -> None:
    assert {room_of(module_of(path)) for path in FILES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_run_one_way(path: Path) -> None:
    wrong = forbidden(path.read_text("utf-8"), module_of(path), path.name == "__init__.py")
    assert wrong == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("symcalc.notation.dims", "import symcalc.calculus.steps"),
        ("symcalc.notation.dims", "def f():\n    from symcalc.report.page import build_page"),
        ("symcalc.calculus.steps", "from symcalc import catalogue"),
        ("symcalc.calculus.steps", "from symcalc import derive"),
        ("symcalc.catalogue.regression", "from ..calculus import derive"),
        ("symcalc.backends.numpy_backend", "from .numba_source import emit"),
        ("symcalc.backends.numba_backend", "from symcalc.backends import numpy_backend"),
        ("symcalc.backends.kernel", "import symcalc.backends.numba_backend"),
        ("symcalc.bench.run", "from symcalc.report import writer"),
        ("symcalc.report.page", "from symcalc.bench import benchmark"),
        ("symcalc.api", "from symcalc.cli import app"),
    ],
)
def test_a_planted_import_is_found(module: str, source: str) -> None:
    assert len(forbidden(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("symcalc.report.page", "from symcalc.verify.verdict import CheckReport"),
        ("symcalc.backends.numba_backend", "from . import numba_source, kernel"),
        ("symcalc.notation.objective", "def f():\n    from symcalc.notation.latex import latex"),
        ("symcalc.catalogue.regression", "import numpy\nfrom symcalc.notation import mean"),
    ],
)
def test_a_lawful_import_is_let_through(module: str, source: str) -> None:
    assert forbidden(source, module) == set()


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh process has loaded after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(done.stdout))


HEAVY = {"numba", "llvmlite", "matplotlib", "torch", "jax", "sklearn", "scipy", "IPython"}


def test_import_symcalc_is_light() -> None:
    loaded = loaded_by("import symcalc")
    assert loaded & (HEAVY | {"typer", "rich"}) == set()
    ours_and_theirs = loaded - loaded_by("import sympy, numpy, flint")
    assert len(ours_and_theirs) < 150, sorted(ours_and_theirs)


def test_the_command_line_is_light() -> None:
    assert loaded_by("import symcalc.cli") & HEAVY == set()


def test_a_room_does_not_take_the_name_of_a_function() -> None:
    """The import of symcalc.report, the room, must not hide sc.report, the function."""
    code = (
        "import importlib, symcalc as sc\n"
        "for name in ('report', 'catalogue'):\n"
        "    importlib.import_module(f'symcalc.{name}')\n"
        "    print(name, callable(getattr(sc, name)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["report", "True", "catalogue", "True"], done.stderr
