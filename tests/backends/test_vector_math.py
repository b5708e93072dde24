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

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from symcalc.backends import numba_expressions, vector_math

ROOT = Path(__file__).resolve().parents[2]
PRECISIONS = (np.float64, np.float32)
PAIRS = ("kl_div", "log_ratio", "power", "xlogy")  # functions of two arguments
SQUARES = ("square", "square_of_large", "square_of_small")  # float64 whatever the argument
FUNCTIONS = tuple(name for name in vector_math.__all__ if name not in (*PAIRS, *SQUARES))
INF, NAN = math.inf, math.nan
SATURATED = [(INF, 1), (-INF, -1), (NAN, NAN), (1e4, 1), (-1e4, -1)]
ZEROS = [(0.0, 0.0), (-0.0, -0.0)]
UNITY = [(0.0, 1), (-0.0, 1), (NAN, NAN)]
SPECIAL = {  # pairs (x, function(x)): a dictionary would take -0.0 for 0.0
    "exp": [*UNITY, (INF, INF), (-INF, 0), (1e4, INF), (-1e4, 0)],
    "exp_nonpositive": [*UNITY, (-INF, 0), (-1e4, 0)],
    "exp2": [*UNITY, (INF, INF), (-INF, 0), (10, 1024), (-3, 0.125)],
    "expm1": [*ZEROS, (INF, INF), (-INF, -1), (NAN, NAN), (1e4, INF), (-1e4, -1)],
    "expm1x": [(0.0, 0.0), (-0.0, 0.0), (INF, INF), (-INF, INF), (NAN, NAN), (1e4, INF),
               (-1e4, 9999)],
    "log": [(0.0, -INF), (-0.0, -INF), (INF, INF), (-INF, NAN), (NAN, NAN), (1, 0), (-1e-40, NAN)],
    "log1p": [*ZEROS, (-1, -INF), (INF, INF), (-INF, NAN), (NAN, NAN), (-1.5, NAN)],
    "log1p_unit": [*ZEROS, (NAN, NAN)],
    "log1mexp": [(0.0, -INF), (-0.0, -INF), (INF, -0.0), (1e4, -0.0), (NAN, NAN), (-1, NAN)],
    "tanh": [*ZEROS, *SATURATED],
    "sech": [*UNITY, (INF, 0), (-INF, 0), (1e4, 0), (-1e4, 0)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0), (NAN, NAN), (1e4, 1), (-1e4, 0)],
    "softplus": [(INF, INF), (-INF, 0), (NAN, NAN), (1e4, 1e4), (-1e4, 0)],
    "log_sigmoid": [(INF, 0), (-INF, -INF), (NAN, NAN), (1e4, 0), (-1e4, -1e4)],
    "log_cosh": [(0.0, 0.0), (-0.0, 0.0), (INF, INF), (-INF, INF), (NAN, NAN)],
    "erf": [*ZEROS, *SATURATED],
    "erfc": [*UNITY, (INF, 0), (-INF, 2), (1e4, 0), (-1e4, 2)],
    "lgamma": [(0.0, INF), (-0.0, INF), (1, 0), (2, 0), (-1, INF), (-2e20, INF), (INF, INF),
               (-INF, INF), (NAN, NAN)],
    "digamma": [(0.0, -INF), (-0.0, INF), (-3, NAN), (-2e20, NAN), (INF, INF), (-INF, NAN),
                (NAN, NAN)],
    "trigamma": [(0.0, INF), (-0.0, INF), (-3, INF), (-2e20, INF), (INF, 0), (NAN, NAN)],
}  # fmt: skip
# (x, y, function(x, y)); for power the conventions of C's pow, from Python's math.pow
SPECIAL_PAIRS = {
    "xlogy": [(0, 0, 0), (0, INF, 0), (0, 3, 0), (2, 0, -INF), (-2, 0, INF), (2, INF, INF),
              (2, 1, 0), (NAN, 1, NAN), (1, NAN, NAN), (1, -1, NAN)],
    "log_ratio": [(1, 1, 0), (0, 2, -INF), (2, 0, INF), (INF, 2, INF), (2, INF, -INF),
                  (NAN, 1, NAN), (1, NAN, NAN), (-1, 2, NAN)],
    "kl_div": [(0, 0, 0), (0, 2, 2), (2, 0, INF), (2, 2, 0), (2, INF, INF), (NAN, 1, NAN),
               (1, NAN, NAN), (-1, 2, NAN)],
    "power": [(x, y) for x in (0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, INF, -INF, NAN)
              for y in (0.0, 1, -1, 2, -2, 3, -3, 0.75, -0.75, 1e30, -1e30, INF, -INF, NAN)],
}  # fmt: skip

each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_pair = pytest.mark.parametrize("name", PAIRS)
each_precision = pytest.mark.parametrize("real", PRECISIONS)


def signature_of(real, arguments):
    array = numba.from_dtype(np.dtype(real))[::1]
    return (array,) * (arguments + 1) + (numba.uintp, numba.uintp)


def loop_over(function, arguments):
    """Write out[i] = function(x[i], ...) over a range, as a generated kernel does."""

    def one(x, out, start, stop):
        for i in range(start, stop):
            out[i] = function(x[i])

    def two(x, y, out, start, stop):
        for i in range(start, stop):
            out[i] = function(x[i], y[i])

    return two if arguments == 2 else one


@cache
def compile_loop(function, real, fastmath=frozenset(), arguments=1):
    """Compile the loop for one precision."""
    compiler = numba.njit(
        signature_of(real, arguments), error_model="numpy", fastmath=set(fastmath)
    )
    return compiler(loop_over(function, arguments))


def evaluate(function, *columns):
    out = np.empty_like(columns[0])
    compile_loop(function, out.dtype.type, arguments=len(columns))(*columns, out, 0, out.size)
    return out


def sample(real, count):
    """Draw random bit patterns, and values of both signs near zero."""
    rng = np.random.default_rng(20240607)
    integer = np.dtype(real).str.replace("f", "u")
    bits = rng.integers(0, 2 ** (8 * np.dtype(real).itemsize), count, dtype=integer).view(real)
    return np.concatenate([bits, rng.uniform(-3, 3, 3 * count).astype(real)])


@each_precision
@each_function
def test_special_values(name, real):
    x, want = np.array(SPECIAL[name], real).T.copy()
    got = evaluate(getattr(vector_math, name), x)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got[want == 0]), np.signbit(want[want == 0]))


@each_precision
@each_pair
def test_special_values_of_two(name, real):
    cases = SPECIAL_PAIRS[name]
    if name == "power":
        with np.errstate(all="ignore"):
            cases = [(x, y, np.power(np.float64(x), np.float64(y))) for x, y in cases]
            cases = [(x, y, want) for x, y, want in cases if abs(want) <= 4 or abs(want) == INF
                     or want != want]  # fmt: skip
    x, y, want = np.array(cases, real).T.copy()
    got = evaluate(getattr(vector_math, name), x, y)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    assert np.all(same | np.isclose(got, want, rtol=4e-7)), list(zip(cases, got, strict=True))
    np.testing.assert_array_equal(np.signbit(got[want == 0]), np.signbit(want[want == 0]))


@each_precision
@pytest.mark.parametrize("name", ["expm1", "log1p", "log1p_unit", "tanh"])
def test_tiny_arguments_are_returned(name, real):
    x = np.ldexp(real(1), -np.arange(80, -np.finfo(real).minexp + np.finfo(real).nmant))
    x = np.concatenate([x, -x]).astype(real)
    np.testing.assert_array_equal(evaluate(getattr(vector_math, name), x), x)


@each_function
def test_nan_and_domain_errors_spoil_no_neighbour(name):
    function = getattr(vector_math, name)
    x = np.tile([0.75, NAN, 0.75, -INF, 0.75, INF, 0.75], 9)
    good = evaluate(function, np.full(1, 0.75))[0]
    assert np.isfinite(good)
    assert np.all(evaluate(function, x)[::7] == good)
    assert np.all(evaluate(function, x)[2::7] == good)


@each_function
def test_fast_math_of_the_caller_stays_outside(name):
    function = getattr(vector_math, name)
    x = np.concatenate([sample(np.float64, 500), np.array(SPECIAL[name])[:, 0]])
    plain = evaluate(function, x)
    fast = np.empty_like(x)
    compile_loop(function, np.float64, frozenset({"reassoc", "contract", "nsz"}))(
        x, fast, 0, x.size
    )
    np.testing.assert_array_equal(plain, fast)
    np.testing.assert_array_equal(np.signbit(plain), np.signbit(fast))


@pytest.mark.parametrize(
    "name", ["exp", "exp2", "expm1", "log", "log1p", "tanh", "erf", "erfc", "lgamma"]
)
def test_callable_from_python(name):
    function = getattr(vector_math, name)
    assert function(0.5) == pytest.approx(getattr(math, name)(0.5), rel=1e-15)
    assert function.__name__ == name


def test_every_function_says_its_domain():
    for name in vector_math.__all__:
        assert "Domain: " in getattr(vector_math, name).__doc__, name


def test_the_writer_knows_every_function():
    inner = {"log1p_unit"}  # called by softplus alone
    assert sorted(numba_expressions.VECTOR_MATH) == sorted({*vector_math.__all__} - inner)


def test_integers_and_mixed_precisions_are_taken_as_double():
    power = vector_math.power
    assert power(2, 10) == 1024
    assert power(np.float32(2), 0.5) == pytest.approx(math.sqrt(2), rel=1e-15)
    assert vector_math.lgamma(5) == pytest.approx(math.log(24), rel=1e-15)


def test_precision_follows_the_argument():
    exp = vector_math.exp
    assert exp(2) == exp(2.0)
    single = exp(np.float32(0.5))
    assert single == float(evaluate(exp, np.full(1, 0.5, np.float32))[0])
    assert single != exp(0.5)


# Machine code -------------------------------------------------------------------------------------


def machine_code(function, real, arguments=1):
    compiled = compile_loop(function, real, arguments=arguments)
    return "\n".join(compiled.inspect_asm().values())


def packed_operations(code, real):
    """Count vector additions, multiplications and fused ones."""
    suffix = "pd" if real is np.float64 else "ps"
    return len(re.findall(rf"\bv?(?:add|sub|mul|fn?m(?:add|sub)\d+){suffix}\b", code))


CALLED = (
    r"\b(exp2?|expm1|log|log1p|tanh|erfc?|[lt]gamma|pow|fma|ldexp|copysign|floor|rint|round)f?\b"
)


def library_calls(code):
    """Name the functions of the C library that the code refers to."""
    return set(re.findall(CALLED, code))


def loop_calls(code, packed):
    """List the calls in the blocks of code that match a pattern of packed instructions."""
    blocks = re.split(r"^\.\w+:", code, flags=re.MULTILINE)
    loops = [block for block in blocks if re.search(packed, block)]
    return re.findall(r"^\s*(?:call\w*|blr?)\s+\S+", "".join(loops), re.MULTILINE)


WIDE = ("digamma", "lgamma", "trigamma", "power")  # float64 arithmetic in float32 loops as well
each_vector = pytest.mark.parametrize("name", [*FUNCTIONS, *PAIRS, *SQUARES])
x86_only = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly"
)


def kind_of_arithmetic(name, real):
    return np.float64 if name in WIDE else real


def least_operations(name):
    return 1 if name in SQUARES else 4 if name == "log1p_unit" else 10


@x86_only
@each_precision
@each_vector
def test_loops_are_vectorised(name, real):
    if name in SQUARES[1:] and real is np.float32:
        pytest.skip("always zero")
    code = machine_code(getattr(vector_math, name), real, 2 if name in PAIRS else 1)
    assert packed_operations(code, kind_of_arithmetic(name, real)) >= least_operations(name)
    assert not library_calls(code)
    assert not loop_calls(code, r"v?(?:add|mul)p[ds]")


@x86_only
def test_the_reader_of_assembly_sees_a_scalar_loop():
    code = machine_code(math.expm1, np.float64)
    assert packed_operations(code, np.float64) == 0
    assert library_calls(code) == {"expm1"}
    assert loop_calls(code, r"v?movs[ds]")


PORTABLE = """
import sys; sys.path.insert(0, sys.argv[1])
import test_vector_math as t
for name in sys.argv[3:]:
    function = getattr(t.vector_math, name)
    arguments = 2 if name in t.PAIRS else 1
    compiled = t.compile_loop(function, getattr(t.np, sys.argv[2]), arguments=arguments)
    print(t.SEPARATOR + name)
    print(next(iter(compiled.inspect_llvm().values())))
"""
SEPARATOR = ";;; "
# the module before its loops are vectorised, which is for the processor at hand
SCALAR = {"NUMBA_OPT": "0", "NUMBA_LOOP_VECTORIZE": "0", "NUMBA_SLP_VECTORIZE": "0"}


def arm_machine():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("this build of LLVM does not know ARM")
    return target.create_target_machine(cpu="generic", opt=3)


def arm_code(text, machine):
    """Compile the text of a module for ARM, with the optimisations that Numba uses."""
    text = re.sub(r"^target (triple|datalayout).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r'"(target-cpu|target-features|tune-cpu)"="[^"]*"', "", text)
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_assembly(module)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_loops_are_vectorised_on_arm(dtype):
    machine = arm_machine()
    real = getattr(np, dtype)
    names = [name for name in (*FUNCTIONS, *PAIRS, *SQUARES)
             if name not in SQUARES[1:] or dtype == "float64"]  # fmt: skip
    output = run_python(PORTABLE, str(Path(__file__).parent), dtype, *names, **SCALAR)
    for part in output.split(SEPARATOR)[1:]:
        name, text = part.split("\n", 1)
        code = arm_code(text, machine)
        lanes = "2d" if kind_of_arithmetic(name, real) is np.float64 else "4s"
        packed = re.findall(rf"\bf(?:add|sub|mul|mla|mls)\s+v\d+\.{lanes}", code)
        assert len(packed) >= least_operations(name), name
        assert not library_calls(code), name
        assert not loop_calls(code, rf"v\\d+\\.{lanes}"), name


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
