"""The vector mathematics against ball arithmetic, and its machine code."""

import importlib.util
import math
import os
import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import flint
import numba
import numpy as np
import pytest

from symcalc.backends import vector_math

ROOT = Path(__file__).resolve().parents[2]
PRECISIONS = (np.float64, np.float32)
# the largest error allowed in units in the last place: a little above the measured maxima
LIMITS = {
    "exp": 1.1,
    "exp2": 1.2,
    "expm1": 1.2,
    "log": 1.0,
    "log1p": 1.0,
    "tanh": 1.3,
    "erf": 1.4,
    "erfc": 4.0,
}
EXACT = {
    "exp": flint.arb.exp,
    "exp2": lambda x: flint.arb(2) ** x,
    "expm1": flint.arb.expm1,
    "log": flint.arb.log,
    "log1p": flint.arb.log1p,
    "tanh": flint.arb.tanh,
    "erf": flint.arb.erf,
    "erfc": flint.arb.erfc,
}
# where the function is neither trivial nor saturated: (float64, float32)
INTERESTING = {
    "exp": ((-746, 710), (-104, 89)),
    "exp2": ((-1076, 1025), (-151, 129)),
    "expm1": ((-40, 710), (-20, 89)),
    "log": ((0, 3), (0, 3)),
    "log1p": ((-1, 3), (-1, 3)),
    "tanh": ((-20, 20), (-10, 10)),
    "erf": ((-6, 6), (-4, 4)),
    "erfc": ((-6, 28), (-4, 10.5)),
}
INF, NAN = math.inf, math.nan
SATURATED = [(INF, 1), (-INF, -1), (NAN, NAN), (1e4, 1), (-1e4, -1)]
ZEROS = [(0.0, 0.0), (-0.0, -0.0)]
SPECIAL = {  # pairs (x, function(x)): a dictionary would take -0.0 for 0.0
    "exp": [(0.0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (NAN, NAN), (1e4, INF), (-1e4, 0)],
    "exp2": [(0.0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (NAN, NAN), (10, 1024), (-3, 0.125)],
    "expm1": [*ZEROS, (INF, INF), (-INF, -1), (NAN, NAN), (1e4, INF), (-1e4, -1)],
    "log": [(0.0, -INF), (-0.0, -INF), (INF, INF), (-INF, NAN), (NAN, NAN), (1, 0), (-1e-40, NAN)],
    "log1p": [*ZEROS, (-1, -INF), (INF, INF), (-INF, NAN), (NAN, NAN), (-1.5, NAN)],
    "tanh": [*ZEROS, *SATURATED],
    "erf": [*ZEROS, *SATURATED],
    "erfc": [(0.0, 1), (-0.0, 1), (INF, 0), (-INF, 2), (NAN, NAN), (1e4, 0), (-1e4, 2)],
}

each_function = pytest.mark.parametrize("name", LIMITS)
each_precision = pytest.mark.parametrize("real", PRECISIONS)


@cache
def compile_loop(function, real, fastmath=frozenset()):
    """Compile out[i] = function(x[i]) over a range, as a generated kernel does."""
    array = numba.from_dtype(np.dtype(real))[::1]

    def loop(x, out, start, stop):
        for i in range(start, stop):
            out[i] = function(x[i])

    signature = (array, array, numba.intp, numba.intp)
    return numba.njit(signature, error_model="numpy", fastmath=set(fastmath))(loop)


def evaluate(function, x):
    out = np.empty_like(x)
    compile_loop(function, x.dtype.type)(x, out, 0, x.size)
    return out


def error_in_ulps(exact, computed, real):
    """Return |computed - exact| in units in the last place of the exact value."""
    info = np.finfo(real)
    limit = flint.arb(2) ** info.maxexp
    if math.isinf(computed):  # an overflow stands for 2^maxexp and all beyond it
        if exact.abs_lower() >= limit and (exact > 0) == (computed > 0):
            return 0.0
        computed = limit if computed > 0 else -limit
    size = abs(float(exact.mid()))
    exponent = min(math.frexp(size)[1] - 1, info.maxexp - 1) if size < INF else info.maxexp - 1
    if size == 0:
        exponent = info.minexp
    ulp = flint.arb(2) ** (max(exponent, int(info.minexp)) - info.nmant)
    return float((abs(flint.arb(computed) - exact) / ulp).abs_upper())


def worst(name, function, x):
    """Return the largest error over x in ulps, and where; NaN must meet NaN exactly."""
    x = x[np.isfinite(x) & (x > {"log": 0.0, "log1p": -1.0}.get(name, -INF))]
    y = evaluate(function, x)
    # past the end all are 0, 1 or inf, and the balls would be huge
    end = INF if name in ("log", "log1p") else 2e4
    with flint.ctx.workprec(200):
        errors = [
            error_in_ulps(EXACT[name](flint.arb(at)), got, x.dtype)
            for at, got in zip(np.clip(x, -end, end).tolist(), y.tolist(), strict=True)
        ]
    at = int(np.argmax(errors))
    return errors[at], x[at], y[at]


def sample(name, real, count):
    """Draw random bit patterns, uniform values where it matters, and small values of both signs."""
    rng = np.random.default_rng(20240607)
    integer = np.dtype(real).str.replace("f", "u")
    bits = rng.integers(0, 2 ** (8 * np.dtype(real).itemsize), count, dtype=integer).view(real)
    low, high = INTERESTING[name][real is np.float32]
    uniform = rng.uniform(low, high, count)
    near_zero = rng.uniform(-1.2, 1.2, 4 * count)
    small = np.exp2(rng.uniform(-60, 0, count)) * rng.choice([-1, 1], count)
    near_one = 1 + small / 4
    parts = (uniform, near_zero, small, near_one)
    return np.concatenate([bits, *(part.astype(real) for part in parts)])


def edges(real):
    """Every seventh power of two, the thresholds and the ends of the range, with neighbours."""
    info = np.finfo(real)
    powers = np.ldexp(real(1), np.arange(info.minexp - info.nmant, info.maxexp, 7))
    thresholds = [709.782712893384, 710.4758600739439, 745.1332191019412, 708.3964185322641,
                  88.72284, 103.97208, 87.33655, 1024, 1074, 1075, 128, 149, 150, math.log(2) / 2,
                  math.sqrt(0.5), math.sqrt(2), 1, 0.5, 26.5, 27.2262, 10.05, info.max]  # fmt: skip
    with np.errstate(over="ignore"):
        x = np.concatenate([powers, np.array(thresholds).astype(real)])
    x = np.concatenate([x, -x])
    with np.errstate(over="ignore", under="ignore"):
        return np.concatenate([x, np.nextafter(x, real(INF)), np.nextafter(x, real(-INF))])


@each_precision
@each_function
def test_accuracy_over_the_whole_domain(name, real):
    x = np.concatenate([sample(name, real, 400), edges(real)])
    error, at, got = worst(name, getattr(vector_math, name), x)
    assert error <= LIMITS[name], f"{name}({at!r}) = {got!r} is {error:.3f} ulp off"


@pytest.mark.slow
@each_precision
@each_function
def test_accuracy_on_many_points(name, real):
    error, at, got = worst(name, getattr(vector_math, name), sample(name, real, 60_000))
    assert error <= LIMITS[name], f"{name}({at!r}) = {got!r} is {error:.3f} ulp off"


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names an x86 processor")
def test_accuracy_without_fused_multiply_add():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_vector_math as t\n"
        "for name in t.LIMITS:\n"
        "    for real in t.PRECISIONS:\n"
        "        x = t.sample(name, real, 20_000)\n"
        "        found = t.worst(name, getattr(t.vector_math, name), x)\n"
        "        assert found[0] <= t.LIMITS[name], (name, real, found)\n"
    )
    run_python(script, str(Path(__file__).parent), NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")


def test_the_yardstick_sees_errors():
    one = flint.arb(1)
    assert error_in_ulps(one, 1.0, np.float64) == 0
    assert error_in_ulps(one, 1 + 2**-52, np.float64) == 1
    assert error_in_ulps(one, 1 + 2**-23, np.float32) == 1
    assert error_in_ulps(flint.arb(2) ** -1074, 0.0, np.float64) == 1
    assert error_in_ulps(flint.arb(2) ** 1023, INF, np.float64) > 1e15
    assert error_in_ulps(flint.arb(2) ** 1025, -INF, np.float64) > 1e15
    x = np.linspace(0.5, 1, 100)
    wrong = numba.njit(lambda v: math.exp(v) * (1 + 1e-15))
    assert worst("exp", wrong, x)[0] > 3


@each_precision
@each_function
def test_special_values(name, real):
    x, want = np.array(SPECIAL[name], real).T.copy()
    got = evaluate(getattr(vector_math, name), x)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got[want == 0]), np.signbit(want[want == 0]))


@each_precision
@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh"])
def test_tiny_arguments_are_returned(name, real):
    x = np.ldexp(real(1), -np.arange(80, -np.finfo(real).minexp + np.finfo(real).nmant))
    x = np.concatenate([x, -x]).astype(real)
    np.testing.assert_array_equal(evaluate(getattr(vector_math, name), x), x)


@each_function
def test_nan_and_domain_errors_spoil_no_neighbour(name):
    function = getattr(vector_math, name)
    x = np.tile([0.75, NAN, 0.75, -INF, 0.75, INF, 0.75], 9)
    good = evaluate(function, np.full(1, 0.75))[0]
    assert np.all(evaluate(function, x)[::7] == good)
    assert np.all(evaluate(function, x)[2::7] == good)


@each_function
def test_fast_math_of_the_caller_stays_outside(name):
    function = getattr(vector_math, name)
    x = np.concatenate([sample(name, np.float64, 500), np.array(SPECIAL[name])[:, 0]])
    plain = evaluate(function, x)
    fast = np.empty_like(x)
    compile_loop(function, np.float64, frozenset({"reassoc", "contract", "nsz"}))(
        x, fast, 0, x.size
    )
    np.testing.assert_array_equal(plain, fast)
    np.testing.assert_array_equal(np.signbit(plain), np.signbit(fast))


@each_function
def test_callable_from_python(name):
    function = getattr(vector_math, name)
    assert function(0.5) == pytest.approx(getattr(math, name)(0.5), rel=1e-15)
    assert function.__name__ == name
    assert "Accuracy" in function.__doc__


def test_precision_follows_the_argument():
    exp = vector_math.exp
    assert exp(2) == exp(2.0)
    single = exp(np.float32(0.5))
    assert single == float(evaluate(exp, np.full(1, 0.5, np.float32))[0])
    assert single != exp(0.5)


# Machine code -------------------------------------------------------------------------------------


def machine_code(function, real):
    return "\n".join(compile_loop(function, real).inspect_asm().values())


def packed_operations(code, real):
    """Count vector additions, multiplications and fused ones."""
    suffix = "pd" if real is np.float64 else "ps"
    return len(re.findall(rf"\bv?(?:add|sub|mul|fn?m(?:add|sub)\d+){suffix}\b", code))


def library_calls(code):
    """Name the functions of the C library that the code refers to."""
    return set(re.findall(r"\b(exp2?|expm1|log|log1p|tanh|erfc?|fma|ldexp|copysign)f?\b", code))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")
@each_precision
@each_function
def test_loops_are_vectorised(name, real):
    code = machine_code(getattr(vector_math, name), real)
    assert packed_operations(code, real) > 10
    assert not library_calls(code)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")
def test_the_reader_of_assembly_sees_a_scalar_loop():
    code = machine_code(math.expm1, np.float64)
    assert packed_operations(code, np.float64) == 0
    assert library_calls(code) == {"expm1"}


# Life in a process --------------------------------------------------------------------------------


def run_python(script, *arguments, **environment):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


KERNEL = """
from numba import njit, types
from symcalc.backends.vector_math import exp, log1p

array = types.float64[::1]

@njit((array, array, types.intp, types.intp), cache=True, nogil=True, error_model="numpy")
def run(x, out, start, stop):
    for i in range(start, stop):
        out[i] = exp(x[i]) + log1p(x[i])
"""


def test_kernels_are_cached_between_processes(tmp_path):
    (tmp_path / "kernel_file.py").write_text(KERNEL)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np, kernel_file\n"
        "out = np.empty(3); kernel_file.run(np.ones(3), out, 0, 3)\n"
        "print(sum(kernel_file.run.stats.cache_hits.values()), out.tolist())\n"
    )
    first, second = (run_python(script, str(tmp_path)) for _ in range(2))
    assert first.startswith("0 ")
    assert second == first.replace("0", "1", 1)


def test_importing_compiles_nothing():
    script = (
        "from numba.core import event\n"
        "with event.install_recorder('numba:compile') as recorder:\n"
        "    import symcalc.backends.vector_math\n"
        "print(len(recorder.buffer))\n"
    )
    assert run_python(script).strip() == "0"


# Coefficients -------------------------------------------------------------------------------------


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("minimax", ROOT / "tools" / "minimax.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_coefficients_are_current():
    minimax = generator()
    assert minimax.TARGET.read_text(encoding="utf-8") == minimax.generate()
