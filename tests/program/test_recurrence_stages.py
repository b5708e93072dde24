"""A recurrence is one loop over its entries: never unrolled, and nothing is summed inside it."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.backends.modes import task
from symcalc.program.lower import lower
from symcalc.program.program import Accumulate, Descent, Loop, Start


def program(text, mode="value_and_grad", **options):
    objective = sc.parse(text, **options)
    wanted = task(sc.derive(objective), mode)
    return lower(objective, wanted.name, wanted.equations, wanted.inputs, wanted.outputs,
                 wanted.number)  # fmt: skip


def sequences(made):
    return [stage for stage in made.stages if stage.carried]


def loops(body):
    for node in body:
        if isinstance(node, Loop):
            yield node
            yield from loops(node.body)


def depth(body):
    """The deepest nest over the entries' dim: 1 is linear in its extent."""
    return max((("n_t" in str(node.index.extent)) + depth(node.body)
                for node in body if isinstance(node, Loop)), default=0)  # fmt: skip


TEXTS = ["sum(t, scan(t, a[t], b[t])**2)", "sum(t, reverse_scan(t, a[t], tanh(b[t]))**2)",
         "sum(t, cumprod(t, a[t])*cumsum(t, b[t]))", "prod(t, a[t])*sum(t, b[t])"]  # fmt: skip


@pytest.mark.parametrize("mode", ["value_and_grad", "hvp"])
@pytest.mark.parametrize("text", TEXTS)
def test_no_loop_over_the_entries_stands_in_another(text, mode):
    made = program(text, mode, wrt=("a", "b"))
    assert sequences(made)
    for stage in made.stages:
        over = stage.index is not None and "n_t" in str(stage.index.extent)
        assert over + depth(stage.body) <= 1


def test_each_pass_is_one_loop_upwards_and_one_down():
    made = program(TEXTS[0], wrt=("a", "b"))
    forwards, backwards = sequences(made)
    (up,), (down,) = list(loops(forwards.body)), list(loops(backwards.body))
    assert not isinstance(up, Descent)
    assert isinstance(down, Descent)
    for stage in (forwards, backwards):
        assert not [n for n in stage.body if isinstance(n, (Start, Accumulate))]


def test_sequences_of_a_batch_are_blocks_of_rows():
    made = program("sum(b, t, scan(t, a[b,t], x[b,t])**2)", wrt="x")
    for stage in sequences(made):
        assert str(stage.index.extent) == "n_b"
        assert [made.buffer(tensor).kind for tensor in stage.carried] == ["local"]
        assert depth(stage.body) == 1


def test_sequences_side_by_side_are_carried_as_a_row():
    made = program("sum(b, t, scan(t, a[t,b], x[t,b])**2)", wrt="x")
    for stage in sequences(made):
        assert stage.index is None
        assert [made.buffer(tensor).kind for tensor in stage.carried] == ["array"]
        outermost = [str(node.index.extent) for node in stage.body if isinstance(node, Loop)]
        assert outermost == ["n_b", "n_t"]


def test_a_shared_recurrence_is_computed_once():
    made = program("sum(t, scan(t, 0.5, x[t])*scan(u, 0.5, x[u], 0, t+1))", mode="value")
    assert len(sequences(made)) == 1


def test_the_source_has_one_loop_a_sequence(kernel):
    source = kernel(TEXTS[0], wrt=("a", "b")).source
    assert source.count("in range(n_t):") == 1
    assert source.count("in range(n_t - 1, -1, -1):") == 1


PREFIXES = {
    "sum(i, exp(sum(j, where(j <= i, x[j], 0))))": np.cumsum,
    "sum(i, exp(sum(j, where(i > j, x[j], 0))))": lambda x: np.cumsum(x) - x,
    "sum(i, exp(sum(j, where(j >= i, x[j], 0))))": lambda x: np.cumsum(x[::-1])[::-1],
    "sum(i, exp(sum(j, where(j <= i, 0, x[j]))))": lambda x: np.cumsum(x[::-1])[::-1] - x,
    "sum(i, exp(sum(j, where(j <= i, 1, 0)*x[j])))": np.cumsum,
    "sum(i, exp(sum(j, where(j <= i, x[j]*x[i]*2, 0))))": lambda x: 2 * x * np.cumsum(x),
}


@pytest.mark.parametrize("text", PREFIXES)
def test_a_sum_up_to_a_place_is_a_cumulative_sum(kernel, text):
    made = program(text, shapes={"x": "n"})
    assert sequences(made)
    for stage in made.stages:
        over = stage.index is not None and str(stage.index.extent) == "n"
        inside = [str(node.index.extent) for node in loops(stage.body)]
        assert over + inside.count("n") <= 1
    x = np.random.default_rng(0).normal(size=7)
    value, gradient = kernel(text, shapes={"x": "n"}).value_and_grad(x)
    np.testing.assert_allclose(value, np.exp(PREFIXES[text](x)).sum(), rtol=1e-13)
    plain = kernel(text, backend="numpy", shapes={"x": "n"}).grad(x)
    np.testing.assert_allclose(gradient, plain, rtol=1e-12, atol=1e-13)


def test_a_sum_whose_terms_hang_on_the_place_stays_a_sum():
    made = program("sum(i, sum(j, where(j <= i, tanh(x[i]*x[j]), 0))**2)", mode="value")
    assert not sequences(made)
