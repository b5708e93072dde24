"""Forks at bad moments, and many threads at once: each in a process that fails if it hangs."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from processes import run

from symcalc.backends import threads

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# A crowd of threads that switch as often as they can; a child that is ended if it hangs.
HEAD = """
import itertools, os, signal, sys, threading
import numpy as np
import symcalc as sc
from symcalc.backends import cache

cache.PATIENCE = 1e9  # whoever waits for a lock that is never given back waits for ever
NAMES = ("mse", "mae", "huber", "l1", "l2", "elastic_net", "hinge", "log_cosh")

def crowd(count, work):
    errors = []
    def careful(place):
        try:
            work(place)
        except BaseException as error:
            errors.append(repr(error))
    started = [threading.Thread(target=careful, args=(place,)) for place in range(count)]
    for thread in started: thread.start()
    for thread in started: thread.join()
    assert not errors, errors

def child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return pid

def wait(pid):
    _, status = os.waitpid(pid, 0)
    assert status == 0, status

def pair(name, n, seed=0):
    rng = np.random.default_rng(seed)
    inputs = [t.domain.sample(rng, (n,), 2) for t in sc.get(name).inputs]
    return inputs

def bits(kernel, arrays):
    value, gradient = kernel.value_and_grad(*arrays)
    return np.float64(value).tobytes() + gradient.tobytes()
"""


def crowded(body, folder=None, **more):
    """Run a program made of the head and this body; it prints "done" at its end."""
    folder = folder or os.environ["SYMCALC_CACHE_DIR"]
    assert run(f"{HEAD}\n{body}\nprint('done')", folder, **more) == "done"


@FORKS
def test_a_child_works_after_the_threads_have_run(tmp_path):
    crowded(
        """
kernel = sc.compile("bce_with_logits")
arrays = pair("bce_with_logits", 300_000)
expected = bits(kernel, arrays)
def work():
    assert bits(kernel, arrays) == expected
    assert sc.compile("l2").value_and_grad([3.0, 4.0])[0] == 12.5  # compiles
    wait(child(lambda: bits(kernel, arrays) == expected or 1 / 0))  # a child of the child
for pid in [child(work), child(work)]: wait(pid)
assert bits(kernel, arrays) == expected
""",
        env={"SYMCALC_THREADS": "4"},
    )


@FORKS
def test_a_fork_while_a_thread_compiles_leaves_the_child_free_to(tmp_path):
    crowded(
        """
begun, over = threading.Event(), threading.Event()
shared = sc.compile("l2")
def compile_all():
    for name in NAMES[:4]:
        begun.set()
        sc.compile(name)
        shared.prepare("value")
    over.set()
def work():
    assert sc.compile("l2").value_and_grad([3.0, 4.0])[0] == 12.5
    assert shared.grad([3.0, 4.0]).tolist() == [3.0, 4.0]  # a kernel that a thread was at work on
    sc.compile("mse").prepare("value")
thread = threading.Thread(target=compile_all)
thread.start()
begun.wait()
pids = []
while len(pids) < 3 and not over.is_set():
    pids.append(child(work))
    over.wait(0.05)
assert pids
for pid in pids: wait(pid)
thread.join()
""",
        tmp_path,
    )


@FORKS
@pytest.mark.slow
def test_forks_at_every_moment_of_a_compilation(tmp_path):
    crowded(
        """
stop = threading.Event()
def compile_all():
    for name in sc.catalogue():
        sc.compile(name)
    stop.set()
def work():
    sc.compile("l2", dtype="float32").grad(np.ones(3, "f"))
thread = threading.Thread(target=compile_all)
thread.start()
count = 0
while not stop.is_set() and count < 60:
    wait(child(work))
    count += 1
thread.join()
assert count > 5, count
""",
        tmp_path,
        timeout=300,
    )


@FORKS
@pytest.mark.slow
def test_a_fork_while_numba_compiles_for_somebody_else(tmp_path):
    crowded(
        """
import numba
numba.njit(lambda x: x + 1)(np.ones(3))  # Numba and NumPy import more at the first call
begun, over = threading.Event(), threading.Event()
def compile_theirs():
    for k in range(6):
        begun.set()
        numba.njit(lambda x: np.sort(np.exp(x) + k).sum())(np.ones(3))
    over.set()
def work():
    assert sc.compile("l2").value_and_grad([3.0, 4.0])[0] == 12.5
thread = threading.Thread(target=compile_theirs)
thread.start()
begun.wait()
while not over.is_set():
    wait(child(work))
thread.join()
""",
        tmp_path,
    )


@FORKS
def test_a_child_that_lives_on_holds_no_lock_of_its_parent(tmp_path):
    crowded(
        """
import subprocess
import time
thread = threading.Thread(target=sc.compile, args=("l2",))
thread.start()
while not list(cache.wanted_directory().glob("*/lock")):
    time.sleep(0.001)
reading, writing = os.pipe()
pid = child(lambda: os.close(writing) or os.read(reading, 1))  # lives until the parent lets it go
thread.join()
for path in cache.wanted_directory().rglob("*.kernel"): path.unlink()
code = ("from symcalc.backends import cache; cache.PATIENCE = 1e9\\n"
        "import symcalc as sc; sc.compile('l2')")
subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
os.close(writing)
wait(pid)
""",
        tmp_path,
    )


@FORKS
def test_children_of_a_crowd_of_callers(tmp_path):
    crowded(
        """
kernel = sc.compile("bce_with_logits")
arrays = pair("bce_with_logits", 200_000)
expected = bits(kernel, arrays)
def work(place):
    for _ in range(5):
        assert bits(kernel, arrays) == expected
        if place == 0:
            wait(child(lambda: bits(kernel, arrays) == expected or 1 / 0))
crowd(4, work)
""",
        env={"SYMCALC_THREADS": "3"},
    )


def test_a_crowd_compiles_the_same_and_different_objectives(tmp_path):
    crowded(
        """
sys.setswitchinterval(1e-5)
found = {}
def work(place):
    for name in (NAMES[place % 4], NAMES[(place + 1) % 4]):
        kernel = sc.compile(name)
        found[place, name] = bits(kernel, pair(name, 1000))
crowd(8, work)
for (place, name), result in found.items():
    assert result == bits(sc.compile(name), pair(name, 1000)), (place, name)
assert len(cache.stored(cache.wanted_directory())) == 4
""",
        tmp_path,
    )


@pytest.mark.slow
def test_a_crowd_compiles_the_whole_catalogue(tmp_path):
    crowded(
        """
names = list(sc.catalogue())
def work(place):
    for name in names[place % 3 :: 3]:
        kernel = sc.compile(name)
        assert kernel.prepare("value") is kernel
crowd(8, work)
""",
        tmp_path,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("name", "shape"),
    [("bce_with_logits", "(150_000,)"), ("softmax_cross_entropy", "(4000, 50)"),
     ("kl_divergence", "(4000, 50)")],
)  # fmt: skip
def test_a_crowd_calls_one_kernel_and_nobody_writes_on_anothers_paper(name, shape):
    crowded(
        f"""
sys.setswitchinterval(1e-6)
kernel, shape = sc.compile({name!r}), {shape}
def draw(seed):
    rng = np.random.default_rng(seed)
    return [t.domain.sample(rng, shape[: len(t.shape)], 50) for t in kernel.objective.inputs]
inputs = [draw(seed) for seed in range(8)]
os.environ["SYMCALC_THREADS"] = "1"
expected = [bits(kernel, arrays) for arrays in inputs]
assert len(set(expected)) == 8
os.environ["SYMCALC_THREADS"] = "3"
def work(place):
    for _ in range(6):
        assert bits(kernel, inputs[place]) == expected[place]
crowd(8, work)
"""
    )


def test_a_crowd_makes_many_small_calls():
    crowded(
        """
sys.setswitchinterval(1e-6)
kernel = sc.compile("huber")
inputs = [pair("huber", 50, seed) for seed in range(8)]
expected = [bits(kernel, arrays) for arrays in inputs]
def work(place):
    for _ in range(300):
        assert bits(kernel, inputs[place]) == expected[place]
crowd(8, work)
"""
    )


def test_some_call_while_others_compile(tmp_path):
    crowded(
        """
sys.setswitchinterval(1e-5)
kernel = sc.compile("l2")
x = np.arange(600_000) % 7 - 3.0
over = threading.Event()
def work(place):
    if place < 2:
        for name in NAMES[place::2][:2]:
            sc.compile(name)
        if place == 0: over.set()
        return
    while True:
        value, gradient = kernel.value_and_grad(x)
        assert value == (x**2).sum() / 2 and np.array_equal(gradient, x)
        if over.is_set(): break
crowd(5, work)
""",
        tmp_path,
        env={"SYMCALC_THREADS": "2"},
    )


def test_a_kernel_may_be_called_when_the_interpreter_ends():
    crowded(
        """
import atexit
kernel = sc.compile("bce_with_logits")
arrays = pair("bce_with_logits", 300_000)
expected = bits(kernel, arrays)
def last():
    try:
        assert bits(kernel, arrays) == expected
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
threading._register_atexit(last)
atexit.register(last)
"""
    )


def test_work_is_done_where_no_thread_can_be_had(monkeypatch):
    def refuse(pool, work):
        raise RuntimeError("can't start new thread")

    monkeypatch.setenv("SYMCALC_THREADS", "4")
    monkeypatch.setattr(threads.ThreadPoolExecutor, "submit", refuse)
    done = np.zeros(103, int)

    def work(first, last):
        done[first:last] += 1

    threads.share_out(len(done), work)
    assert (done == 1).all()


def test_an_error_in_any_thread_comes_to_light(monkeypatch):
    monkeypatch.setenv("SYMCALC_THREADS", "4")
    caller = threading.get_ident()
    begun = threading.Event()

    def work(first, last):
        if threading.get_ident() != caller:
            begun.set()
            raise ZeroDivisionError
        begun.wait(10)

    with pytest.raises(ZeroDivisionError):
        threads.share_out(100, work)
    done = []
    threads.share_out(5, lambda first, last: done.append((first, last)))
    assert sorted(done) == [(k, k + 1) for k in range(5)]
