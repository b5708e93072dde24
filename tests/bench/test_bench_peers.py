"""Every library computes what the catalogue says: they agree with each other and with us."""

import importlib

import numpy as np
import pytest
from entries import FIRST
from shapes import extents

from symcalc.bench.inputs import draw, make_case
from symcalc.bench.peers import OURS, PEERS, NotOfferedError
from symcalc.catalogue import get

FIFTEEN = (
    "mse mae huber log_cosh bce_with_logits softmax_cross_entropy hinge kl_divergence l1 l2 "
    "elastic_net batch_norm layer_norm reinforce ppo_clip"
).split()
_WAIT = ("pytensor", "tensorgrad")
SLOW_TO_PREPARE = [p for p in PEERS if p.variant == "compile" or p.name in _WAIT]
EAGER = [peer for peer in PEERS if peer not in SLOW_TO_PREPARE]


def problem_of(name, dtype="float64", hyper=None):
    objective = get(name)
    shape = tuple(extents(objective, 5, 3).values())
    problem = draw(objective, make_case(objective, shape=shape, dtype=dtype))
    if hyper:
        problem.hyper.update(hyper)
    return problem


def result(peer, problem):
    pytest.importorskip(peer.package)
    module = importlib.import_module(peer.module)
    try:
        runner = module.runner(problem, peer.variant, 1)
    except NotOfferedError as error:
        pytest.skip(str(error))
    return runner.read(runner.call())


def assert_agree(found, expected, rtol):
    for a, b in zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max() / 10)


@pytest.mark.parametrize("peer", [p for p in EAGER if p.name != "numpy"], ids=lambda p: p.name)
@pytest.mark.parametrize("name", FIRST)
def test_agrees_with_numpy(name, peer):
    problem = problem_of(name)
    assert_agree(result(peer, problem), result(PEERS[0], problem), 1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FIRST)
def test_our_kernel_agrees_with_numpy(name, dtype):
    problem = problem_of(name, dtype)
    rtol = 1e-12 if dtype == "float64" else 1e-5
    assert_agree(result(OURS, problem), result(PEERS[0], problem), rtol)


@pytest.mark.parametrize("peer", [*EAGER, OURS], ids=lambda p: p.name)
@pytest.mark.parametrize(
    ("name", "hyper"),
    [
        ("huber", {"delta": 0.7}),
        ("l1", {"lam": 0.3}),
        ("l2", {"lam": 0.3}),
        ("elastic_net", {"lam1": 0.3, "lam2": 1.7}),
        ("ppo_clip", {"clip": 0.6}),
        ("layer_norm", {"eps": 0.1}),
        ("batch_norm", {"eps": 0.1}),
    ],
)
def test_hyperparameters_reach_every_peer(name, hyper, peer):
    changed = problem_of(name, hyper=hyper)
    assert_agree(result(peer, changed), result(PEERS[0], changed), 1e-12)
    with pytest.raises(AssertionError):
        assert_agree(result(peer, changed), result(PEERS[0], problem_of(name)), 1e-6)


@pytest.mark.parametrize("peer", EAGER, ids=lambda p: p.name)
def test_a_call_repeats_itself(peer):
    """Buffers that are reused must not carry one call into the next."""
    problem = problem_of("bce_with_logits")
    pytest.importorskip(peer.package)
    runner = importlib.import_module(peer.module).runner(problem, peer.variant, 1)
    first = runner.read(runner.call())
    first = (np.copy(first[0]), tuple(map(np.copy, first[1])))
    assert_agree(runner.read(runner.call()), first, 1e-15)


@pytest.mark.parametrize("name", FIFTEEN)
def test_numpy_stays_stable_in_the_tails(name):
    """Large arguments give finite values and gradients where the mathematics does."""
    problem = problem_of(name)
    first = next(iter(problem.arrays))
    problem.arrays[first] = problem.arrays[first] * 1000
    with np.errstate(over="raise", invalid="raise"):
        value, grads = result(PEERS[0], problem)
    assert np.isfinite(value).all()
    assert all(np.isfinite(grad).all() for grad in grads)


@pytest.mark.parametrize("name", FIFTEEN)
@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_all_fifteen_are_offered(library, name):
    peer = next(p for p in PEERS if p.name == library)
    pytest.importorskip(peer.package)
    module = importlib.import_module(peer.module)
    assert module.runner(problem_of(name), peer.variant, 1).read is not None


@pytest.mark.slow
@pytest.mark.parametrize("peer", SLOW_TO_PREPARE, ids=lambda p: p.name)
@pytest.mark.parametrize("name", FIFTEEN)
def test_what_compiles_slowly_agrees_with_numpy(name, peer):
    problem = problem_of(name)
    assert_agree(result(peer, problem), result(PEERS[0], problem), 1e-12)


def test_what_a_library_lacks_is_said():
    pytest.importorskip("sklearn")
    from symcalc.bench.peers import sklearn_peer

    with pytest.raises(NotOfferedError, match="scikit-learn has no hinge"):
        sklearn_peer.runner(problem_of("hinge"), "", 1)
