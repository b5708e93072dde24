"""Kernels travel: pickled, copied, and to other processes, however these are started."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from entries import entries
from processes import run
from shapes import cotangent_of, extents

import symcalc as sc
from symcalc.notation.dims import Dim, Index

METHODS = multiprocessing.get_all_start_methods()
FORMULA = "mean(i, softplus(z[i]) - y[i]*z[i])"


def results(kernel, arrays, **named):
    """What a kernel gives, as bytes; a layer's cotangent is among what is named."""
    if kernel.objective.is_scalar:
        value, gradients = kernel.value_and_grad(*arrays, **named)
    else:
        value, gradients = kernel.vjp(*arrays, **named)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [np.asarray(part).tobytes() for part in (value, *gradients)]


@pytest.mark.parametrize("name", entries())
def test_a_kernel_is_the_same_after_a_pickle(kernel, sample, name):
    compiled = kernel(name)
    data = pickle.dumps(compiled)
    assert len(data) < 3000  # a definition and no code
    again = pickle.loads(data)
    assert again.objective == compiled.objective
    assert str(again.derivation) == str(compiled.derivation)
    sizes = extents(compiled.objective, 7, 5)
    arrays = list(sample(compiled.objective, **sizes).values())
    cotangent = cotangent_of(compiled.objective, sizes, np.random.default_rng(1))
    named = {} if cotangent is None else {"cotangent": cotangent}
    assert results(again, arrays, **named) == results(compiled, arrays, **named)


VARIANTS = {
    "float32": lambda: sc.compile("huber", dtype="float32"),
    "numpy": lambda: sc.compile("huber", backend="numpy"),
    "wrt": lambda: sc.compile("huber", wrt=("target", "prediction")),
    "sum": lambda: sc.compile("huber", reduction="sum"),
    "unchecked": lambda: sc.compile("huber").unchecked,
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_what_a_kernel_was_asked_to_be_is_kept(variant):
    compiled = variant()
    again = pickle.loads(pickle.dumps(compiled))
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=9).astype(compiled.dtype) for _ in range(2)]
    assert results(again, arrays, delta=0.5) == results(compiled, arrays, delta=0.5)
    assert again.dtype == compiled.dtype
    assert again.derivation.wrt == compiled.derivation.wrt
    assert (again.unchecked is again) == (compiled.unchecked is compiled)
    assert again.source == compiled.source


def test_an_array_valued_kernel_and_one_with_weights_are_kept():
    x = np.linspace(-2, 2, 5)
    none = pickle.loads(pickle.dumps(sc.compile("mse", reduction="none")))
    np.testing.assert_array_equal(none(x, np.zeros(5)), x**2)
    mean = pickle.loads(pickle.dumps(sc.compile("mse")))
    weights = np.array([0.0, 0.0, 0.0, 1.0, 3.0])
    assert mean(x, np.zeros(5), weights=weights) == pytest.approx((1 + 3 * 4) / 4)


def test_a_copy_of_a_kernel_is_the_kernel(kernel):
    compiled = kernel("l2")
    assert copy.copy(compiled) is compiled
    assert copy.deepcopy({"loss": compiled})["loss"] is compiled


@pytest.mark.parametrize("name", ["huber", "layer_norm", "ppo_clip"])
def test_a_derivation_is_the_same_after_a_pickle(name):
    derivation = sc.derive(name)
    again = pickle.loads(pickle.dumps(derivation))
    assert again == derivation
    assert copy.deepcopy(derivation) == derivation
    assert again.latex() == derivation.latex()
    assert all(step.holds() for step in again.steps)


def compute(kernel, arrays):
    """In another process: what it gives, and how much had to be compiled for it."""
    found = results(kernel, arrays)
    own = [
        function
        for module in list(sys.modules.values())
        if module.__name__.startswith("symcalc_kernel_")
        for function in vars(module).values()
        if getattr(function, "__module__", "") == module.__name__
    ]
    return found, sum(sum(f.stats.cache_misses.values()) for f in own)


@sc.objective(wrt="prediction")
def charbonnier(
    prediction: sc.Real[sc.Array, "n"], target: sc.Real[sc.Array, "n"], eps: sc.Positive = 1e-3
):
    """Absolute error, rounded off at zero."""
    i = sc.indices("n")
    return sc.mean(i, sc.sqrt((prediction[i] - target[i]) ** 2 + eps**2))


@pytest.mark.parametrize(
    "method",
    [m if m == "spawn" else pytest.param(m, marks=pytest.mark.slow) for m in METHODS],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_processes_load_what_this_one_compiled(method):
    formula = sc.parse(FORMULA, wrt="z", domains={"y": "probability"}, name="logistic")
    kernels = [
        sc.compile("softmax_cross_entropy", dtype="float32"),
        sc.compile("huber").unchecked.prepare(),
        sc.compile(formula),
        sc.compile(charbonnier, wrt=("target",)),
    ]
    rng = np.random.default_rng(0)
    two = [rng.uniform(size=2000), rng.uniform(size=2000)]
    arrays = [
        [rng.normal(size=(300, 10)).astype("float32"), rng.integers(0, 10, 300)], two, two, two,
    ]  # fmt: skip
    expected = [results(*pair) for pair in zip(kernels, arrays, strict=True)]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        jobs = [pool.submit(compute, *pair) for pair in zip(kernels, arrays, strict=True)]
        found = [job.result(timeout=120) for job in jobs]
    assert [result for result, _ in found] == expected
    assert all(compiled == 0 for _, compiled in found) or method == "fork"


MAIN = """
import multiprocessing, sys
import symcalc as sc

@sc.objective(wrt="x")
def mine(x: sc.Real[sc.Array, "n"]):
    i = sc.indices("n")
    return sc.sum(i, x[i] ** 2)

def work(kernel):
    return kernel([1.0, 2.0])

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.apply(work, (sc.compile(mine),)), pool.apply(work, (sc.compile("l2"),)))
"""


@pytest.mark.parametrize(
    "method",
    [m if m == "forkserver" else pytest.param(m, marks=pytest.mark.slow) for m in METHODS],
)
def test_an_objective_of_the_main_module_travels(tmp_path, method):
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    done = subprocess.run(
        [sys.executable, str(script), method], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["5.0", "2.5"], done.stderr


def test_cloudpickle_takes_a_kernel_too(kernel):
    cloudpickle = pytest.importorskip("cloudpickle")
    again = pickle.loads(cloudpickle.dumps(kernel("l2")))
    assert again([3.0, 4.0]) == 12.5


def test_indices_of_two_processes_are_never_taken_for_each_other():
    """SymPy's dummies are numbered alike in a forked child and in its parent."""
    code = (
        "import os, pickle\n"
        "from symcalc.notation.dims import Dim, Index\n"
        "reading, writing = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    made = [Index('i', Dim('n')) for _ in range(100)]\n"
        "    os.write(writing, pickle.dumps(made)); os._exit(0)\n"
        "os.wait()\n"
        "theirs = pickle.loads(os.read(reading, 60_000))\n"
        "mine = [Index('i', Dim('m')) for _ in range(100)]\n"
        "print(len({*mine, *theirs}))"
    )
    assert run(code) == "200"


def test_an_index_from_elsewhere_sorts_before_those_made_here_later():
    old = pickle.loads(pickle.dumps(Index("i", Dim("n"))))
    assert old.dummy_index < Index("i", Dim("n")).dummy_index < old.fresh().dummy_index
