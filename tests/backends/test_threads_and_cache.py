"""One result for any number of threads; kernels on disk outlive a process and survive damage."""

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import symcalc as sc
from symcalc.backends import cache

COUNTS = (1, 2, 3, 5)


def bits(result):
    """A result as bytes."""
    value, gradients = result
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [np.asarray(part).tobytes() for part in (value, *gradients)]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("bce_with_logits", "float64"),
        ("softmax_cross_entropy", "float32"),
        ("layer_norm", "float64"),
        ("batch_norm", "float64"),
    ],
)
def test_results_are_the_same_to_the_last_bit(monkeypatch, kernel, sample, name, dtype):
    objective, compiled = sc.get(name), kernel(name, dtype=dtype)
    rows = 400_003 if name == "bce_with_logits" else 3_001
    arrays = sample(objective, 0, dtype, n=rows, c=101, d=101)
    extra = {}
    if not objective.is_scalar:
        shape = arrays["x"].shape
        extra["cotangent"] = np.random.default_rng(1).normal(size=shape).astype(dtype)
    call = compiled.value_and_grad if objective.is_scalar else compiled.vjp
    found = []
    for count in COUNTS:
        monkeypatch.setenv("SYMCALC_THREADS", str(count))
        found.append(bits(call(**arrays, **extra)))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "", "1.5", " 2 ", "²"])
def test_a_wrong_thread_count_is_no_thread_count(monkeypatch, kernel, wrong):
    monkeypatch.setenv("SYMCALC_THREADS", wrong)
    x = np.ones(200_000)
    assert kernel("l2").value_and_grad(x)[0] == 100_000


def test_sums_are_accurate_however_they_are_cut(kernel):
    x = np.random.default_rng(0).normal(size=1_000_003)
    exact = np.sum(x.astype("g") ** 2) / 2
    assert kernel("l2").value_and_grad(x)[0] == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 8192, 49_999, 50_000, 50_001, 1_048_577])
def test_every_length_of_the_last_block_is_covered(kernel, n):
    x = np.arange(n) % 7 - 3.0
    value, gradient = kernel("l2").value_and_grad(x)
    assert value == (x**2).sum() / 2
    np.testing.assert_array_equal(gradient, x)


def test_many_threads_may_call_one_kernel(kernel):
    compiled = kernel("bce_with_logits")
    rng = np.random.default_rng(0)
    inputs = [(rng.normal(size=120_000), rng.uniform(size=120_000)) for _ in range(8)]
    expected = [bits(compiled.value_and_grad(*pair)) for pair in inputs]
    found = [None] * len(inputs)

    def work(place):
        for _ in range(5):
            found[place] = bits(compiled.value_and_grad(*inputs[place]))

    workers = [threading.Thread(target=work, args=(place,)) for place in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == expected


def test_many_threads_may_compile_at_once():
    formula = sc.parse("mean(i, exp(sin_free[i])**2)", name="compiled_at_once")
    found, errors = [], []

    def work():
        try:
            found.append(sc.compile(formula).value_and_grad([0.0, 0.0])[0])
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert found == [1.0] * 4


def _in_child(queue, compiled, arrays):
    queue.put(bits(compiled.value_and_grad(*arrays)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_kernel_works_in_a_forked_child(kernel):
    compiled = kernel("bce_with_logits")
    arrays = (np.linspace(-3, 3, 200_000), np.full(200_000, 0.5))
    expected = bits(compiled.value_and_grad(*arrays))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue, compiled, arrays))
    child.start()
    assert queue.get(timeout=30) == expected
    child.join(timeout=30)
    assert child.exitcode == 0


PROGRAM = """
import warnings, sys
import symcalc as sc
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    kernel = sc.compile("l2")
    value, gradient = kernel.value_and_grad([3.0, 4.0])
compiled = [sum(d.stats.cache_misses.values()) for m in list(sys.modules.values())
            if m.__name__.startswith("symcalc_kernel_")
            for d in vars(m).values() if getattr(d, "__module__", "") == m.__name__]
print(value, gradient.tolist(), sum(compiled), [str(w.message) for w in caught])
"""


def run(folder):
    """Compile and call one kernel in a process of its own with this cache; return what it says."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120,
        env={**os.environ, "SYMCALC_CACHE_DIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


RIGHT = "12.5 [3.0, 4.0]"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache that one process has left behind."""
    folder = tmp_path_factory.mktemp("cache") / "deep" / "down"
    assert run(folder).startswith(f"{RIGHT} 1 []")
    return folder


def test_a_second_process_compiles_nothing(filled):
    before = {p: p.stat().st_mtime_ns for p in filled.rglob("*") if p.is_file()}
    assert any(p.suffix == ".nbc" for p in before)
    assert run(filled).startswith(f"{RIGHT} 0 []")
    after = {p: p.stat().st_mtime_ns for p in filled.rglob("*") if p.is_file()}
    assert {p.name for p in after} == {p.name for p in before}
    assert all(after[p] == before[p] for p in before if p.suffix in (".py", ".nbc"))


def damaged_text(content):
    return content.replace(b"theta", b"thatu")


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [(".py", damaged_text), (".py", lambda c: b""), (".py", lambda c: c[: len(c) // 2]),
     (".py", lambda c: b"raise SystemExit(3)"), (".nbi", lambda c: b""),
     (".nbi", lambda c: c[: len(c) // 2]), (".nbc", lambda c: b""), (".nbc", lambda c: c[:100]),
     (".nbc", lambda c: b"\x00" * len(c)), (".nbi", lambda c: b"garbage" * 100)],
    ids=["py edited", "py empty", "py cut", "py exits", "nbi empty", "nbi cut", "nbc empty",
         "nbc cut", "nbc zeros", "nbi garbage"],
)  # fmt: skip
@pytest.mark.slow
def test_a_damaged_file_is_rebuilt(filled, suffix, damage):
    touched = [p for p in filled.rglob(f"*{suffix}") if p.is_file()]
    assert touched
    for path in touched:
        path.write_bytes(damage(path.read_bytes()))
    assert run(filled).startswith(RIGHT)
    assert run(filled).startswith(f"{RIGHT} 0")


def test_a_damaged_source_is_rebuilt(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    source = "answer = 42\n"
    assert cache.load_module("probe_one", source).answer == 42
    (path,) = tmp_path.rglob("*.py")
    path.write_text("answer = 41\n")
    monkeypatch.delitem(
        sys.modules, next(m for m in sys.modules if m.startswith("symcalc_kernel_probe_one"))
    )
    assert cache.load_module("probe_one", source).answer == 42
    assert path.read_text() == source


def test_a_cache_folder_that_cannot_be_one_is_replaced_with_one_warning(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    said = run(blocked)
    assert said.startswith(RIGHT)
    assert said.count("cannot be written to") == 1
    assert "SYMCALC_CACHE_DIR" in said
    assert blocked.read_text() == "no folder"


def test_no_half_written_file_is_left_behind(filled):
    assert any(filled.iterdir())
    assert not list(filled.rglob("*.tmp"))


@pytest.mark.slow
def test_processes_that_race_for_an_empty_cache_all_win(tmp_path):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "SYMCALC_CACHE_DIR": str(tmp_path)},
        )
        for _ in range(4)
    ]  # fmt: skip
    for racer in racers:
        said, complaint = racer.communicate(timeout=120)
        assert racer.returncode == 0, complaint
        assert said.startswith(RIGHT)
