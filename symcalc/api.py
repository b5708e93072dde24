"""Read first: derive, compile, check, report, benchmark, each a handful of calls into the rooms."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from symcalc.backends.kernel import Kernel
from symcalc.calculus.derive import Derivation
from symcalc.calculus.derive import derive as _derive
from symcalc.catalogue import catalogue, get
from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.making import MAKING, collector_at_rest
from symcalc.notation.objective import Objective

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from symcalc.bench.table import Benchmark
    from symcalc.report.book import Member
    from symcalc.verify.atlas import Atlas
    from symcalc.verify.gradients import GradientReport
    from symcalc.verify.matrix import KillMatrix
    from symcalc.verify.verdict import CheckReport

BACKENDS = {"numba": "symcalc.backends.numba_backend", "numpy": "symcalc.backends.numpy_backend"}
DTYPES = ("float64", "float32")


def derive(obj: Objective | str, wrt: str | tuple[str, ...] | None = None) -> Derivation:
    """Derive the gradient of an objective, step by step.

    Args:
        obj: an Objective, or a catalogue name.
        wrt: the input or inputs to differentiate by; the objective's own if not given.

    Returns:
        The Derivation: .equations, .gradient["x"], .steps, .latex().

    Raises:
        NotationError: `wrt` names no real input.
        DerivationError: the value does not depend on it.
        UnknownObjectiveError: no objective has this name.
    """
    return _derive(resolve(obj), wrt)


def compile(
    obj: Objective | str,
    wrt: str | tuple[str, ...] | None = None,
    backend: str = "numba",
    dtype: str = "float64",
    reduction: str | None = None,
) -> Kernel:
    """Compile an objective to a kernel of value and gradient.

    Args:
        obj: an Objective, or a catalogue name.
        wrt: the input or inputs to differentiate by; the objective's own if not given.
        backend: "numba" or "numpy".
        dtype: "float64" or "float32".
        reduction: "mean", "sum" or "none" for objectives that average over a batch.

    Returns:
        The Kernel, its main mode compiled.

    Raises:
        ArgumentError: an unknown backend, dtype or reduction.
        UnknownObjectiveError: no objective has this name.
    """
    if backend not in BACKENDS:
        raise ArgumentError(f"backend: expected one of {', '.join(BACKENDS)}, got {backend!r}")
    name = getattr(dtype, "__name__", str(dtype))
    if name not in DTYPES:
        raise ArgumentError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    with MAKING, collector_at_rest():
        objective = resolve(obj).with_reduction(reduction)
        if wrt is not None:
            objective = objective.by(wrt)
        build = importlib.import_module(BACKENDS[backend]).build
        return Kernel(_derive(objective), name, build).prepare()


def resolve(obj: Objective | str) -> Objective:
    """Return an Objective itself, or the one of this name.

    Raises:
        ArgumentTypeError: it is neither.
        UnknownObjectiveError: no objective has this name.
    """
    if isinstance(obj, Objective):
        return obj
    if isinstance(obj, str):
        return get(obj)
    raise ArgumentTypeError(
        f"objective: expected an Objective or a catalogue name, got {type(obj).__name__}"
    )


def check(
    obj: Objective | str, wrt: str | tuple[str, ...] | None = None, seed: int = 0
) -> CheckReport:
    """Check the kernels of an objective, and the equations they are made from.

    The equations are held to power series of the value in ball arithmetic, the float64 and float32
    kernels to the same and to the equations in ulps, and the float64 kernel to finite differences
    with a computed step and bound.

    Args:
        obj: an Objective, or a catalogue name.
        wrt: the input or inputs to differentiate by; the objective's own if not given.
        seed: of the points.

    Returns:
        The CheckReport: true if every row passed; .rows, .table().

    Raises:
        UnknownObjectiveError: no objective has this name.
    """
    from symcalc.verify.check import check_kernel

    objective = resolve(obj).at_any_size
    return check_kernel(compile(objective, wrt), compile(objective, wrt, dtype="float32"), seed)


def atlas(obj: Objective | str, wrt: str | None = None) -> Atlas:
    """Sweep a scalar objective over its whole domain, its kernels held against enclosures.

    Args:
        obj: an Objective each of whose terms depends on one entry, or a catalogue name.
        wrt: the input to differentiate by; the objective's own if not given.

    Returns:
        The Atlas: errors in ulps of value, gradient and curvature; .table(), .markdown().

    Raises:
        NoAtlasError: its terms depend on several entries.
        UnknownObjectiveError: no objective has this name.
    """
    from symcalc.verify.atlas import atlas as sweep
    from symcalc.verify.atlas import require_entrywise

    objective = resolve(obj).at_any_size
    require_entrywise(_derive(objective, wrt))
    return sweep(compile(objective, wrt), compile(objective, wrt, dtype="float32"))


def mutate(
    obj: Objective | str, wrt: str | tuple[str, ...] | None = None, seeds: int = 100
) -> KillMatrix:
    """Plant every mistake in the derivation of an objective, and see who finds it.

    Args:
        obj: an Objective, or a catalogue name.
        wrt: the input or inputs to differentiate by; the objective's own if not given.
        seeds: at how many points right equations are tried, to count false alarms.

    Returns:
        The KillMatrix: true if no mistake has survived and nothing right was accused; .outcomes,
        .table().

    Raises:
        UnknownObjectiveError: no objective has this name.
    """
    from symcalc.verify.matrix import kill_matrix
    from symcalc.verify.mutation import Trial

    objective = resolve(obj)
    return kill_matrix(Trial(objective if wrt is None else objective.by(wrt)), seeds)


def check_gradient(
    fun: Callable[..., Any], grad: Any, *arrays: Any, argnums: int | tuple[int, ...] | None = None,
    seed: int = 0, **keywords: Any,
) -> GradientReport:  # fmt: skip
    """Hold the gradient of any Python function against finite differences with computed bounds.

    Args:
        fun: returns one number. It is called with what it was given: NumPy arrays, PyTorch
            tensors, JAX arrays.
        grad: returns the gradient, an array or a tuple of them; True where `fun` returns
            (value, gradient); None where `fun.grad` is the gradient, as a kernel's is.
        arrays: the arguments at which to check; integer arrays stay as they are.
        argnums: the places that `grad` differentiates by; if not given, the first real arguments,
            as many as it returns.
        seed: of the random directions.
        keywords: passed on to both.

    Returns:
        The report: true if every row passed; .rows, .table(), .wrongs, .diagnosis, .example.

    Raises:
        ArgumentError, ArgumentTypeError: something that cannot be checked, and why.
    """
    from symcalc.verify.gradients import check_gradient as hold

    return hold(fun, grad, *arrays, argnums=argnums, seed=seed, **keywords)


def report(
    obj: Objective | str,
    out: str | os.PathLike[str] = "reports",
    formats: Iterable[str] = ("html", "md"),
    wrt: str | tuple[str, ...] | None = None,
) -> tuple[Path, ...]:
    """Write the page of an objective: derivation, picture, checks, code.

    Args:
        obj: an Objective, or a catalogue name.
        out: the folder, made if need be.
        formats: some of "html", "md", "tex" and "pdf".
        wrt: the input or inputs to differentiate by; the objective's own if not given.

    Returns:
        The paths written, in the order of `formats`.

    Raises:
        UnknownObjectiveError: no objective has this name.
        ReportError: an unknown format.
        MissingTypstError: a PDF, and the `typst` package is not installed.
        ReportWriteError: the folder cannot be written to.
    """
    from symcalc.report.assemble import kernel_page
    from symcalc.report.writer import known_formats, write
    from symcalc.verify.check import check_kernel

    wanted = known_formats(formats)
    objective = resolve(obj).at_any_size
    kernel = compile(objective, wrt)
    checks = check_kernel(kernel, compile(objective, wrt, dtype="float32"))
    return write(kernel_page(kernel, checks), out, wanted)


def book(
    objectives: Iterable[Objective],
    out: str | os.PathLike[str] = "derivations",
    formats: Iterable[str] = ("html", "md"),
    processes: int = 1,
) -> Iterator[Path]:
    """Write the book: a page for each objective, how to read them, and an index by family.

    The same code writes the same bytes. The equations of each are held before ball arithmetic at a
    few points; its kernel is shown, not run: `check` does that.

    Args:
        objectives: in the order of the index.
        out: the folder, made if need be.
        formats: some of "html", "md", "tex" and "pdf".
        processes: how many pages of the catalogue are made side by side; other objectives' are
            made one after another. With more than one, a script that calls this guards its entry
            by `if __name__ == "__main__"`.

    Yields:
        Each path as it is written.

    Raises:
        ReportError: an unknown format.
        ReportWriteError: the folder cannot be written to.
    """
    from symcalc import parallel
    from symcalc.report.assemble import book_member
    from symcalc.report.book import write_book
    from symcalc.report.writer import known_formats

    wanted, every = known_formats(formats), tuple(objectives)
    names = [objective.name for objective in every]
    if processes > 1 and all(catalogue().get(o.name) is o for o in every):
        members = parallel.each(_book_member, names, processes)
    else:
        members = map(book_member, every)
    return write_book(members, names, out, wanted)


def _book_member(name: str) -> Member:
    from symcalc.report.assemble import book_member

    return book_member(get(name))


def benchmark(obj: Objective | str, **options: Any) -> Benchmark:
    """Time value and gradient beside the installed peers and the memory floor.

    Args:
        obj: an Objective, or a catalogue name.
        options: size, shape, dtype, rounds, threads, peers: see `symcalc.bench.benchmark`.

    Returns:
        The Benchmark: rows, and how to show them.

    Raises:
        UnknownObjectiveError: no objective has this name.
        ArgumentError: an option that does not make sense.
    """
    from symcalc.bench import benchmark as measure

    return measure(resolve(obj).at_any_size, **options)
