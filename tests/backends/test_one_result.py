"""One result, bit for bit: at once or the careful way, on one thread or on several."""

import numpy as np
import pytest
from entries import entries
from shapes import cotangent_of, extents

import symcalc as sc
from symcalc.backends import numba_backend
from symcalc.backends.numba_frame import least_shared
from symcalc.backends.threads import share_out
from symcalc.program.program import Contract, Loop

DTYPES = ("float64", "float32")
COUNTS = (1, 2, 3, 5)


def bits(result):
    """A value and its gradients as bytes."""
    value, gradients = result
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [np.asarray(part).tobytes() for part in (value, *gradients)]


def multiplies(body):
    """Whether a matrix product is among some statements."""
    return any(
        isinstance(node, Contract) or (isinstance(node, Loop) and multiplies(node.body))
        for node in body
    )


class Calls:
    """One kernel's value and gradient, called in every way there is."""

    def __init__(self, compiled, sample, n, wide, seed=0):
        objective = compiled.objective
        sizes = extents(objective, n, wide)
        self.compiled = compiled
        self.arrays = sample(objective, seed, str(compiled.dtype), **sizes)
        self.is_layer = not objective.is_scalar
        noise = np.random.default_rng(seed + 1)
        cotangent = cotangent_of(objective, sizes, noise, compiled.dtype)
        self.extra = {"cotangent": cotangent} if self.is_layer else {}
        self.call = compiled.vjp if self.is_layer else compiled.value_and_grad
        self.ready = compiled._mode("vjp" if self.is_layer else "value_and_grad")
        stages = self.ready.executable.program.stages
        self.multiplies = any(multiplies(stage.body) for stage in stages)

    def at_once(self):
        """One bare call of the compiled function, which must take everything as it is."""
        like = tuple(np.empty_like(self.arrays[name]) for name in self.ready.task.like)
        out = (np.empty_like(self.extra["cotangent"]),) if self.is_layer else ()
        arrays = (*self.arrays.values(), *self.extra.values())
        value = self.ready.quick(arrays, {}, (*out, *like))
        return bits((out[0] if out else value, like))

    def carefully(self):
        """By keyword, which the bare call does not know."""
        return bits(self.call(**self.arrays, **self.extra))

    def shared(self, monkeypatch, count):
        """On so many threads, however little there is to do; return the bits, and the blocks."""
        blocks = []

        def counted(number, work):
            blocks.append(number)
            share_out(number, work)

        with monkeypatch.context() as patch:
            patch.setattr(numba_backend, "share_out", counted)
            patch.setattr(self.ready.executable, "least", 0)
            patch.setattr(self.ready, "_plans", {})
            patch.setenv("SYMCALC_THREADS", str(count))
            return self.carefully(), blocks


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", entries())
def test_no_way_of_computing_changes_a_bit(monkeypatch, kernel, sample, name, dtype):
    """Around the ends of blocks, which hold 4096 elements or 585 rows of 7.

    Matrix products are the BLAS's: their bits are promised from call to call, not from one number
    of threads to another, and a bare call leaves large ones to the careful one.
    """
    most = 0
    for n in (1, 585, 586, 1_756, 12_289):
        calls = Calls(kernel(name, dtype=dtype), sample, n, 7)
        expected = calls.carefully()
        if n < 2_000 or not calls.multiplies:
            assert calls.at_once() == expected, n
        for count in COUNTS:
            found, blocks = calls.shared(monkeypatch, count)
            assert found == expected or calls.multiplies, (n, count)
            most = max([most, *blocks])
    assert most >= 3  # there was something to share


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm", "softmax_cross_entropy", "ppo_clip"])
@pytest.mark.parametrize(("n", "wide"), [(1, 5_000), (3, 4_097), (200, 1), (700, 101)])
def test_rows_of_every_width_are_shared_alike(monkeypatch, kernel, sample, name, n, wide):
    calls = Calls(kernel(name), sample, n, wide)
    expected = calls.at_once()
    assert calls.carefully() == expected
    for count in COUNTS:
        assert calls.shared(monkeypatch, count)[0] == expected


@pytest.mark.parametrize(("name", "dear"), [("bce_with_logits", True), ("l2", False)])
def test_nothing_changes_where_threads_begin_to_share(monkeypatch, kernel, sample, name, dear):
    for dtype in DTYPES:
        limit = least_shared(dear, dtype == "float32")
        for n in (limit - 1, limit, limit + 1):
            calls = Calls(kernel(name, dtype=dtype), sample, n, 1)
            calls.call(**calls.arrays)
            found = []
            for count in COUNTS:
                monkeypatch.setenv("SYMCALC_THREADS", str(count))
                found += [calls.carefully(), bits(calls.call(*calls.arrays.values()))]
            assert all(one == found[0] for one in found), (dtype, n)
            if n < limit:
                assert calls.at_once() == found[0]
            else:
                with pytest.raises(sc.SymcalcError, match="does not fit"):
                    calls.at_once()


def test_the_number_of_threads_is_asked_at_every_call(monkeypatch, kernel):
    """A plan made on one thread is no promise to stay there."""
    compiled, shares = kernel("l2"), []
    monkeypatch.setattr(numba_backend, "share_out", lambda blocks, work: shares.append(blocks))
    x = np.ones(least_shared(False, False) + 7)
    monkeypatch.setenv("SYMCALC_THREADS", "1")
    compiled.value_and_grad(x)
    assert shares == []
    monkeypatch.setenv("SYMCALC_THREADS", "2")
    compiled.value_and_grad(x)
    assert shares
    shares.clear()
    monkeypatch.setenv("SYMCALC_THREADS", "1")
    compiled.value_and_grad(x)
    assert shares == []
