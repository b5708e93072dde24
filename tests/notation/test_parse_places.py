"""Mistakes that people make when they type a formula, and the place that is marked."""

import pytest

import symcalc as sc


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("mean(i, r[i]) + ", "+ ", r"missing after '\+'"),
        ("sum(i, x[i]/0)", "x[i]/0", "division by zero"),
        ("mean(i, foo(r[i]))", "foo", "not a function of the notation"),
        ("mean(i r[i])", "i r[i]", "comma"),
        ("sum(i, x[i]^2)", "x[i]^2", r"\*\*"),
        ("sum(i, x[i] + x[i,k])", "x[i,k]", "indices"),
        ("sum(i, where(x[i], 1, 2))", "x[i], 1", "condition"),
        ("sum(i, x[i", "[i", "never closed"),
        ("mean(2, r[i])", "2", "an index first"),
        ("sum(i, x[i].T)", "x[i].T", "not part of the notation"),
        ("sum(i, 'a'*x[i])", "'a'", "expected a number"),
        ("sum(i, 1e999*x[i])", "1e999", "too large"),
        ("mean(i, r[j])", "i, r", "indexes no array"),
    ],
)
def test_the_place_of_a_mistake_is_marked(text, at, said):
    with pytest.raises(sc.ParseError, match=said) as caught:
        sc.parse(text, wrt=text[text.index("[") - 1])
    assert caught.value.text[caught.value.column :].startswith(at.rstrip())
