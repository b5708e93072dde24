"""Bounded numbers hold what floating point really computes, in any order, in both formats."""

import itertools
from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symcalc.verify.bounded import DOUBLE, SINGLE, Arithmetic, exponent, number

REALS = {np.float64: (DOUBLE, 64), np.float32: (SINGLE, 32)}
both = pytest.mark.parametrize("real", REALS)


def floats(width):
    return st.floats(width=width, allow_nan=False, allow_infinity=False)


def holds(bounded, computed, exact):
    """The ball holds the exact number, and the bound what was computed."""
    assert bounded.exact.contains(flint.arb(flint.fmpq(exact.numerator, exact.denominator)))
    if not bounded.error.is_finite() or not np.isfinite(computed):
        assert not bounded.error.is_finite()
        return
    off = abs(Fraction(float(computed)) - exact)
    assert flint.arb(flint.fmpq(off.numerator, off.denominator)) <= bounded.error


@pytest.fixture(autouse=True)
def precision():
    flint.ctx.prec, before = 5000, flint.ctx.prec
    yield
    flint.ctx.prec = before


@both
@given(data=st.data())
def test_sums_products_and_quotients(real, data):
    format, width = REALS[real]
    a, b, c = (real(data.draw(floats(width))) for _ in range(3))
    work = Arithmetic(format)
    x, y, z = (number(float(v), format) for v in (a, b, c))
    exact = [Fraction(float(v)) for v in (a, b, c)]
    with np.errstate(all="ignore"):
        holds(work.add([x, y]), a + b, exact[0] + exact[1])
        holds(work.multiply([x, y]), a * b, exact[0] * exact[1])
        inner = work.add([work.multiply([x, y]), z])
        holds(inner, a * b + c, exact[0] * exact[1] + exact[2])
        if c:
            holds(work.divide(x, z), a / c, exact[0] / exact[2])
        below = exact[0] * exact[1] + exact[2]
        if below:
            holds(work.divide(x, inner), a / (a * b + c), exact[0] / below)


@both
@given(data=st.data())
def test_any_order_of_terms_and_factors(real, data):
    format, width = REALS[real]
    values = [real(v) for v in data.draw(st.lists(floats(width), min_size=3, max_size=4))]
    work = Arithmetic(format)
    given_ = [number(float(v), format) for v in values]
    exact = [Fraction(float(v)) for v in values]
    total, product = sum(exact), Fraction(1)
    for each in exact:
        product *= each
    sums, products = work.add(given_), work.multiply(given_)
    gathered = work.gather(given_)
    with np.errstate(all="ignore"):
        for order in itertools.permutations(values):
            found, grown = order[0], order[0]
            for value in order[1:]:
                found, grown = found + value, grown * value
            holds(sums, found, total)
            holds(gathered, found, total)
            holds(products, grown, product)
        if len(values) == 4:  # in two parts, as vector registers add
            a, b, c, d = values
            holds(gathered, (a + c) + (b + d), total)


@both
@given(data=st.data())
def test_roots(real, data):
    format, width = REALS[real]
    x = abs(real(data.draw(floats(width))))
    root = Arithmetic(format).root(number(float(x), format))
    off = abs(flint.arb(float(np.sqrt(x))) - root.exact)
    assert off <= root.error or off.contains(root.error)


@both
def test_what_is_exact_has_no_error(real):
    format, _ = REALS[real]
    work = Arithmetic(format)
    three, half = number(3.0, format), number(0.5, format)
    assert work.add([three, half]).error == 0
    assert work.multiply([three, half, half]).error == 0
    assert work.divide(three, half).error == 0
    assert work.root(number(9.0, format)).error == 0


def test_a_rounding_is_half_an_ulp_and_no_more():
    third = Arithmetic(DOUBLE).divide(number(1.0, DOUBLE), number(3.0, DOUBLE))
    assert third.error <= flint.arb(2) ** -55 * 1.0001
    tiny = Arithmetic(DOUBLE).multiply([number(5e-324, DOUBLE), number(0.3, DOUBLE)])
    assert tiny.error <= flint.arb(2) ** -1075 * 1.0001


def test_what_may_overflow_has_no_bound():
    huge = number(1e308, DOUBLE)
    assert not Arithmetic(DOUBLE).multiply([huge, number(10.0, DOUBLE)]).error.is_finite()
    assert not Arithmetic(SINGLE).literal(flint.arb(1e39)).error.is_finite()


@pytest.mark.parametrize(("x", "k"), [(1.0, 1), (0.75, 0), (4.0, 3), (5e-324, -1073)])
def test_exponents(x, k):
    assert exponent(flint.arb(x)) == k
