"""Dims, indices, tensors, domains and hyperparameters, as an author meets them."""

import math

import numpy as np
import pytest

import symcalc as sc
from symcalc import (
    Array,
    Fraction,
    Label,
    Mask,
    NonNegative,
    PlusMinusOne,
    Positive,
    Probability,
    Real,
    Simplex,
    indices,
    mean,
    objective,
    sum,
)
from symcalc.notation import domains
from symcalc.notation.dims import Dim
from symcalc.notation.tensors import Tensor


@pytest.fixture
def x():
    return Tensor("x", (Dim("n"),))


@pytest.mark.parametrize(
    ("written", "letters", "extents"),
    [("n", "i", "n"), ("n c", "ik", "nc"), ("n, d", "ij", "nd"), ("a:n b:c", "ab", "nc"),
     ("t", "t", "t"), ("n m d", "ijk", "nmd")],
)  # fmt: skip
def test_indices_have_the_letters_and_extents_that_were_asked_for(written, letters, extents):
    made = indices(written)
    made = made if isinstance(made, tuple) else (made,)
    assert [i.name for i in made][:2] == list(letters)[:2]
    assert [str(i.extent) for i in made] == list(extents)
    assert len({i.name for i in made}) == len(made)


def test_two_indices_of_one_letter_are_two_indices():
    i, other = indices("n"), indices("n")
    assert i.name == other.name
    assert not i == other
    assert len({i, other}) == 2


@pytest.mark.parametrize("bad", ["", "  ", "3", "a:0", "i:-3", "a b-c", ":n"])
def test_indices_refuse_what_is_no_name(bad):
    with pytest.raises(sc.NotationError, match="expected"):
        indices(bad)


@pytest.mark.parametrize("bad", [None, 3, b"n"])
def test_indices_refuse_what_is_no_text(bad):
    with pytest.raises(sc.SymcalcError):
        indices(bad)


def test_wrong_rank_names_the_tensor_and_both_counts(x):
    i, k = indices("n c")
    with pytest.raises(sc.NotationError, match=r"x: expected 1 indices \(n\), got 2: x\[i, k\]"):
        x[i, k]


def test_an_index_over_another_dim_is_refused_and_named(x):
    k = indices("c")
    with pytest.raises(sc.NotationError, match=r"x: index k at axis 0 runs over c.*extent n"):
        x[k]


def test_a_gather_needs_integers(x):
    i = indices("n")
    with pytest.raises(sc.NotationError, match=r"expected integers at axis 0, got x\[i\].*real"):
        x[x[i]]


def test_labels_gather_only_from_the_dim_they_stay_below(x):
    labels = Tensor("y", (Dim("n"),), domains.labels("c"))
    with pytest.raises(sc.NotationError, match="c"):
        x[labels[indices("n")]]


@pytest.mark.parametrize("place", [0.5, 1.5, "1/2"])
def test_places_are_whole_numbers(x, place):
    with pytest.raises(sc.SymcalcError):
        x[place]


@pytest.mark.parametrize(
    "make", [lambda i: i / 2, lambda i: 1 - i, lambda i: i + 0.5, lambda i: -i, lambda i: i * i]
)
def test_places_are_indices_times_whole_numbers(x, make):
    with pytest.raises(sc.NotationError):
        x[make(indices("n"))]


@pytest.mark.parametrize("place", [None, "i", slice(0, 2), "__import__('os').getcwd()", -1])
def test_odd_places_are_refused(x, place):
    with pytest.raises(sc.SymcalcError):
        x[place]


def test_text_is_never_evaluated_anywhere(x, tmp_path):
    flag = tmp_path / "flag"
    evil = f"__import__('pathlib').Path({str(flag)!r}).touch()"
    i = indices("n")
    for use in (lambda: x[evil], lambda: sum(i, evil), lambda: sc.where(evil, 1, 0),
                lambda: sc.where(x[i] > 0, evil, 0), lambda: sc.let("a", evil)):  # fmt: skip
        with pytest.raises(sc.SymcalcError):
            use()

    def returns_text(x: Array["n"]):
        return evil

    with pytest.raises(sc.SymcalcError):
        objective()(returns_text)
    assert not flag.exists()


ADMITTED = {
    Real: ([0.0, -1e300, math.inf, -math.inf], [math.nan]),
    Positive: ([1e-300, 1.0, math.inf], [0.0, -1.0, math.nan]),
    NonNegative: ([0.0, 1.0], [-1e-300, math.nan]),
    Probability: ([0.0, 0.5, 1.0], [-1e-9, 1.2, math.nan]),
    Fraction: ([0.0, 1.0], [1.0000001]),
    PlusMinusOne: ([-1.0, 1.0], [0.0, 0.5, 2.0]),
    Mask: ([0.0, 1.0], [0.5, -1.0]),
}


@pytest.mark.parametrize("spelled", ADMITTED, ids=lambda s: s.domain.name)
def test_a_domain_admits_its_values_and_no_other(spelled):
    inside, outside = ADMITTED[spelled]
    assert all(spelled.domain.admits(value) for value in inside)
    assert not any(spelled.domain.admits(value) for value in outside)


@pytest.mark.parametrize(
    "domain", [domains.REAL, domains.POSITIVE, domains.NONNEGATIVE, domains.PROBABILITY,
               domains.SIMPLEX, domains.PLUS_MINUS_ONE, domains.MASK, domains.labels("c")],
    ids=lambda d: d.name,
)  # fmt: skip
def test_samples_lie_in_their_domain(domain):
    values = domain.sample(np.random.default_rng(0), (50, 4), below=3)
    if domain.below is not None:
        assert values.dtype.kind == "i"
        assert set(np.unique(values)) == {0, 1, 2}
    else:
        assert all(domain.admits(float(v)) for v in values.ravel())
    if domain.rows_sum_to_one:
        np.testing.assert_allclose(values.sum(axis=-1), 1, rtol=1e-12)


def test_both_spellings_of_an_input_are_one():
    @objective()
    def long(x: Real[Array, "n c"]):
        return sum(*indices("n c"), x[0, 0])

    @objective()
    def short(x: Array["n c"]):
        return sum(*indices("n c"), x[0, 0])

    @objective()
    def apart(x: Array["n", "c"]):
        return sum(*indices("n c"), x[0, 0])

    assert long.inputs == short.inputs == apart.inputs
    assert [str(e) for e in long.inputs[0].shape] == ["n", "c"]


def test_an_objective_knows_what_was_written():
    @objective(wrt=("x", "w"), reference="Somebody (1900)")
    def loss(
        x: Real[Array, "n"],
        w: Simplex[Array, "n"],
        y: Label[Array, "n -> n"],
        a: Positive = 2,
        b: NonNegative = 0.5,
    ):
        """Of one line.

        And of more.
        """
        i = indices("n")
        return mean(i, a * w[i] * x[i] ** 2 + b * x[y[i]])

    assert loss.name == "loss"
    assert [t.name for t in loss.inputs] == ["x", "w", "y"]
    assert [t.domain.integer for t in loss.inputs] == [False, False, True]
    assert [(p.name, p.default) for p in loss.parameters] == [("a", 2.0), ("b", 0.5)]
    assert (loss.summary, loss.notes, loss.reference) == (
        "Of one line.",
        "And of more.",
        "Somebody (1900)",
    )
    assert loss.wrt == ("x", "w")
    assert loss.is_scalar
    assert [str(d) for d in loss.dims] == ["n"]


def test_the_result_has_one_axis_for_each_free_index_in_the_order_of_the_dims():
    @objective()
    def outer(x: Array["n"], w: Array["c"]):
        i, k = indices("n c")
        return w[k] * x[i]

    assert [i.name for i in outer.outputs] == ["i", "k"]
    assert not outer.is_scalar


def _over_another_dim(x: Array["n"]):
    return sum(indices("q"), 1) + sum(indices("n"), x[0])


def _without_annotation(x: Array["n"], y):
    return sum(indices("n"), x[0])


def _annotated_int(x: int):
    return x


def _label_without_arrow(x: Array["n"]):
    return Label[Array, "n"]


def _default_outside(x: Array["n"], a: Positive = -1.0):
    return a * sum(indices("n"), x[0])


def _default_nan(x: Array["n"], a: Real = math.nan):
    return a * sum(indices("n"), x[0])


def _default_text(x: Array["n"], a: Positive = "1"):
    return a * sum(indices("n"), x[0])


def _default_bool(x: Array["n"], a: Positive = True):
    return a * sum(indices("n"), x[0])


def _returns_none(x: Array["n"]):
    return None


def _returns_two(x: Array["n"]):
    return x[indices("n")], x[0]


def _returns_condition(x: Array["n"]):
    return x[indices("n")] > 0


def _returns_tensor(x: Array["n"]):
    return x


def _decides_in_python(x: Array["n"]):
    i = indices("n")
    return mean(i, x[i] if x[i] > 0 else 0)


def _chains(x: Array["n"]):
    i = indices("n")
    return mean(i, sc.where(0 < x[i] < 1, x[i], 0))


def _pythons_max(x: Array["n"]):
    i = indices("n")
    return mean(i, max(0, x[i]))


def _not_real(x: Array["n"]):
    i = indices("n")
    return mean(i, sc.sqrt(-1) * x[i])


def _divides_by_zero(x: Array["n"]):
    i = indices("n")
    return mean(i, x[i] / 0)


def _another_tensor(x: Array["n"]):
    i = indices("n")
    return mean(i, x[i] * Tensor("u", (Dim("n"),))[i])


def _namesake(x: Array["n"]):
    i = indices("n")
    return mean(i, Tensor("x", (Dim("n"), Dim("n")))[i, i])


def _stars(x: Array["n"], *more: Array["n"]):
    return sum(indices("n"), x[0])


def _array_with_default(x: Array["n"] = 3):
    return sum(indices("n"), x[0])


def _no_arrays(a: Positive = 1.0):
    return a**2


REFUSED = [value for name, value in list(globals().items())
           if name.startswith("_") and getattr(value, "__module__", "") == __name__]  # fmt: skip


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__.strip("_"))
def test_what_makes_no_sense_is_refused_in_the_librarys_own_words(function):
    with pytest.raises(sc.NotationError):
        objective()(function)


@pytest.mark.parametrize("wrt", ["y", "a", "foo", (), ("x", "x"), 3])
def test_only_real_inputs_can_be_differentiated_by(wrt):
    def loss(x: Array["n"], y: Label[Array, "n -> n"], a: Positive = 1.0):
        i = indices("n")
        return a * mean(i, x[y[i]])

    with pytest.raises(sc.SymcalcError, match="wrt"):
        objective(wrt=wrt)(loss)


def test_the_first_real_input_is_taken_if_none_is_named():
    @objective()
    def loss(y: Label[Array, "n -> n"], x: Array["n"], w: Array["n"]):
        i = indices("n")
        return mean(i, x[y[i]] * w[i])

    assert loss.wrt == ("x",)


def test_errors_are_of_pythons_kinds_too():
    assert issubclass(sc.NotationError, ValueError)
    assert issubclass(sc.ParseError, sc.NotationError)
    assert issubclass(sc.UnknownObjectiveError, KeyError)
    assert issubclass(sc.ArgumentError, ValueError)
    assert issubclass(sc.ArgumentTypeError, TypeError)
    assert issubclass(sc.DerivationError, ValueError)
