"""What is no formula gets a ParseError at once, its place marked; nothing is ever evaluated."""

import subprocess
import sys

import pytest

import symcalc as sc

HUGE = {
    "tower": "9**9**9",
    "tower inside": "sum(i, 9**9**9*x[i])",
    "tower above": "sum(i, x[i]**9**9**9)",
    "negative tower": "2**-9**9**9*x[i]",
    "round brackets": "(" * 10_000 + "x[i]" + ")" * 10_000,
    "square brackets": "x" + "[i" * 10_000 + "]" * 10_000,
    "curly brackets": "{" * 10_000 + "}" * 10_000,
    "open brackets": "(" * 10_000,
    "closed brackets": ")" * 10_000,
    "brackets under the length limit": "(" * 4_000 + "x[i]" + ")" * 4_000,
    "calls": "abs(" * 2_000 + "x[i]" + ")" * 2_000,
    "signs": "-" * 9_900 + "x[i]",
    "tildes": "~" * 9_900 + "x[i]",
    "nots": "not " * 2_400 + "x[i]",
    "attributes": "x" + ".a" * 4_900,
    "powers": "x[i]" + "**2" * 3_000,
    "long integer": "9" * 5_000 + "*x[i]",
    "long integer under Python's limit": "9" * 300 + "*x[i]",
    "long float": "1e400*x[i]",
    "float beyond what is meant": "1e300*x[i]",
    "text too long": "x[i] + " * 5_000 + "x[i]",
    "lambda nest": "lambda:" * 1_400 + "1",
    "strings": "'" * 9_999,
    "f-strings": "f'{" * 3_000,
    "factorial of powers": "(10**60)**60*x[i]",
    "products of large": "*".join(["10**60"] * 100) + "*x[i]",
}


@pytest.mark.parametrize("name", HUGE)
def test_what_is_too_much_is_refused(name):
    with pytest.raises(sc.ParseError) as caught:
        sc.parse(HUGE[name])
    assert len(str(caught.value)) < 1000


NOT_FORMULAS = [
    "__import__('os')", "__import__('os').system('true')", "eval('1')", "open('f')", "print(x[i])",
    "foo(x[i])", "x(i)", "x[i](3)", "(lambda: 1)()", "x.__class__", "x[i].real", "(1).real",
    "().__class__.__bases__[0]", "x[i].__init__.__globals__", "lambda: 1", "[x[i] for i in y]",
    "{x[i] for i in y}", "(x[i] for i in y)", "{1: 2}", "[1, 2]", "(1, 2)", "{1, 2}", "f'{x}'",
    "'a'", "b'a'", "(y := 1)", "sum(i, y := x[i])", "sum(i=1)", "sum(i, e=x[i])", "sum(*x)",
    "sum(i, *x[i])", "sum(**x)", "x[*i]", "x[i] if 1 else 2", "x[i:j]", "x[::2]", "x[...]",
    "x[None]", "x[True]", "x[1.5]", "x[i/2]", "x[i**2]", "x[-1]", "x[-i]", "x[1-i]",
    "x[i+1.5]", "x[y[i]+1]", "x[sum(i, y[i])]", "x[]", "x[i][j]", "x['i']",
    "1j*x[i]", "True*x[i]", "None", "...", "x[i] @ y[i]", "x[i] // 2", "x[i] % 2", "x[i] << 2",
    "x[i] ^ 2", "x[i] & y[i]", "~x[i]", "not x[i]", "x[i] and y[i]", 
    "where(x[i], 1, 2)", "where(x[i] < 1, 2)", "where(x[i] < 1, y[i] < 2, 3)",
    "where(True, x[i], 3)", "where(x[i] is 2, 1, 2)", "where(x[i] in y, 1, 2)", "abs(x[i] < 2)",
    "sum(i, x[i] < 2)", "x[i] + (x[i] < 2)", "abs()", "abs(x[i], y[i])", "exp()", "exp(x[i], 2)",
    "xlogy(x[i])", "sum()", "sum(i)", "sum(x[i])", "sum(i, )", "sum(2, x[i])", "sum(x[i], x[i])",
    "max()", "max(x[i])", "norm2(x[i])", "log(0)*x[i]", "0/0*x[i]",
    "0**(-1)*x[i]", 
    "x[i]; y[i]", "x = 1", "import os", "x[i]\\", "'''", "(", ")", "x[i))", "x[i", "x[i] +",
    "* x[i]", "2x[i]", "x[i] y[i]", "x[i],", "x[i]\x00", "\ud800", "exp", "exp[i]", "sum[i]",
    "exp*x[i]", "x*x[i]", "x[i] + x[i, j]", "yield x[i]", "await x[i]", "del x", "@x", "$x[i]",
    "x[i]!", "x[i]?", "«x[i]»", "x[i]·y[i]", "x[i]²", "∑(i, x[i])", "поле[i]", "x[і]", "x[i] − 1",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_FORMULAS, ids=ascii)
def test_what_is_not_of_the_notation_is_refused(text):
    with pytest.raises(sc.ParseError) as caught:
        sc.parse(text)
    assert str(caught.value).startswith("formula: ")


SENSELESS = [
    "x[i+j]", "x[i+n]",
    "x[i] < 2", "x[i] == y[i]", "eq(x[i], 2)", "x[i]/0", "x[i]/(1 - 1)", "log(-1)*x[i]",
    "sqrt(-1)*x[i]", "(-2)**0.5*x[i]", "sum(i, sqrt(0 - 4)*x[i])", "sum(i, x[i])/(n - n)",
    "3", "a", "a*3", "n", "sum(i, 1)", "sum(i, n)", "y[y[i]]", "sum(i, j)", "min(1, 2)",
    "sum(i, x[i]) + sum(q, 1)",
]  # fmt: skip


@pytest.mark.parametrize("text", SENSELESS)
def test_what_can_be_read_but_makes_no_sense_is_refused(text):
    with pytest.raises(sc.NotationError):
        sc.parse(text)


VAST = [
    "9.5**9.5**9.5", "exp(exp(exp(99)))", "1e-400", "exp(10**60)", "sign(exp(10**60) - 1)",
    "lgamma(10**60)", "digamma(10**60)", "trigamma(10**60)", "erf(10**60)", "log_cosh(10**60)",
    "where(exp(exp(exp(exp(9)))) > 1, 1, 2)", "abs(exp(10**60) - exp(9**60))",
]  # fmt: skip


def test_what_is_refused_is_refused_without_work():
    """All of it together takes a second; a formula that was evaluated would take for ever."""
    program = f"""
import symcalc as sc
for text in {[*HUGE.values(), *NOT_FORMULAS]!r}:
    try:
        sc.parse(text)
    except sc.ParseError:
        pass
"""
    subprocess.run([sys.executable, "-"], input=program, text=True, check=True, timeout=60,
                   encoding="utf-8", errors="surrogatepass")  # fmt: skip


def test_constants_beyond_floating_point_hang_nothing():
    program = f"""
import symcalc as sc
for text in {VAST!r}:
    try:
        sc.derive(sc.parse(f"sum(i, {{text}}*x[i])"))
    except sc.SymcalcError:
        pass
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


@pytest.mark.parametrize("text", ["", "   ", "\n", "\t\n"])
def test_nothing_is_refused_with_an_example_of_something(text):
    with pytest.raises(sc.ParseError, match="expected text such as"):
        sc.parse(text)


@pytest.mark.parametrize("thing", [None, b"x[i]", 3, 1.5, ["x[i]"], object(), sc.parse])
def test_what_is_no_text_is_refused(thing):
    with pytest.raises(sc.SymcalcError):
        sc.parse(thing)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("x[i] + __import__('os')", 7),
        ("sum(i, x[i].real)", 7),
        ("   x[i] + 'a'", 10),
        ("x[i] +\n lambda: 1", 8),
        ("sum(i, 2**999*x[i])", 10),
        ("where(x[i] < 1, 1, 2) + (y := 2)", 25),
        ("x[i] + exp", 7),
        ("x[i]*x[i, j]", 5),
        ("sum(i, x[i]", 3),
        ("(" * 100, 60),
    ],
)
def test_the_place_is_marked_under_the_text(text, column):
    with pytest.raises(sc.ParseError) as caught:
        sc.parse(text)
    assert caught.value.column == column
    message, window, mark = str(caught.value).split("\n")
    assert message == caught.value.reason
    flat = text.replace("\n", " ")
    assert mark.strip() == "^"
    assert window[mark.index("^")] == flat[column]


def test_the_mark_stays_in_view_in_a_long_text():
    text = "x[i] + " * 100 + "foo(x[i])"
    with pytest.raises(sc.ParseError) as caught:
        sc.parse(text)
    _, window, mark = str(caught.value).split("\n")
    assert len(window) < 200
    assert window[mark.index("^") :].startswith("foo(")


def test_an_index_that_no_array_bounds_is_named():
    with pytest.raises(sc.NotationError, match="extent of no input"):
        sc.parse("sum(i, x[i]) + sum(q, 1)")


def test_a_hundred_terms_and_fifty_brackets_are_no_trouble():
    long = sc.parse("sum(i, " + " + ".join(f"{k}*x[i]**{k % 7}" for k in range(1, 100)) + ")")
    deep = sc.parse("sum(i, " + "tanh(" * 50 + "x[i]" + ")" * 50 + ")")
    assert long.is_scalar
    assert deep.is_scalar


UNBOUND = ["sum(j <= i, x[j])", "sum(i, where(i < k, x[i], 0))", "sum(t, sum(s < l, x[s]*y[t]))"]


@pytest.mark.parametrize("text", UNBOUND)
def test_an_index_letter_that_nothing_binds_is_no_hyperparameter(text):
    with pytest.raises(sc.ParseError, match="unbound index") as caught:
        sc.parse(text)
    assert text[caught.value.column] in "ikl"


def test_unless_it_is_declared():
    objective = sc.parse("sum(i, where(i < k, x[i], 0))", domains={"k": "positive"})
    assert [parameter.name for parameter in objective.parameters] == ["k"]


@pytest.mark.parametrize(
    ("range_", "message"), [("j < 0", "for no index"), ("j >= 0", "for every")]
)
def test_a_range_that_is_empty_or_whole_is_told(range_, message):
    with pytest.raises(sc.ParseError, match=message):
        sc.parse(f"sum({range_}, x[j])")
