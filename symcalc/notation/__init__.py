"""The language: indices, tensors, domains, atoms, objectives, and the same from text."""

from symcalc.notation.atoms import (
    abs,
    clip,
    cos,
    digamma,
    erf,
    erfc,
    exp,
    expm1,
    expm1x,
    kl_div,
    lgamma,
    log,
    log1mexp,
    log1p,
    log_cosh,
    log_ratio,
    log_sigmoid,
    maximum,
    minimum,
    pi,
    relu,
    sech,
    sigmoid,
    sign,
    sin,
    softplus,
    sqrt,
    stop_gradient,
    tanh,
    trigamma,
    weighted,
    xlogy,
)
from symcalc.notation.compare import eq, ne
from symcalc.notation.composition import compose
from symcalc.notation.conditions import let, where
from symcalc.notation.decorator import objective
from symcalc.notation.definitions import define
from symcalc.notation.dims import FAR as inf
from symcalc.notation.dims import indices
from symcalc.notation.errors import (
    ArgumentError,
    ArgumentTypeError,
    DerivationError,
    NotationError,
    ParseError,
    SymcalcError,
    UnknownObjectiveError,
)
from symcalc.notation.expectations import (
    expectation,
    gaussian_expectation,
    gaussian_log_density,
    gaussian_pathwise,
    gaussian_score,
    score_function,
    variable,
)
from symcalc.notation.objective import Objective
from symcalc.notation.parameters import Parameter
from symcalc.notation.parser import parse
from symcalc.notation.recurrences import cumprod, cumsum, reverse_cumsum, reverse_scan, scan
from symcalc.notation.reductions import (
    argmax,
    argmin,
    extent,
    logsumexp,
    mean,
    norm2,
    prod,
    sum,
)
from symcalc.notation.spelling import (
    Array,
    Finite,
    Formula,
    Fraction,
    Label,
    Mask,
    NonNegative,
    NonNegativeReal,
    OneToTwo,
    PlusMinusOne,
    Positive,
    PositiveFraction,
    PositiveReal,
    Probability,
    Real,
    Scalar,
    Simplex,
)
from symcalc.notation.updates import becomes
from symcalc.notation.vocabulary import max, min

__all__ = [
    "ArgumentError", "ArgumentTypeError", "Array", "DerivationError", "Finite", "Formula",
    "Fraction", "Label", "Mask", "NonNegative", "NonNegativeReal", "NotationError", "Objective",
    "OneToTwo", "Parameter", "ParseError", "PlusMinusOne", "Positive", "PositiveFraction",
    "PositiveReal", "Probability", "Real", "Scalar", "Simplex", "SymcalcError",
    "UnknownObjectiveError", "abs", "argmax", "argmin", "becomes", "clip", "compose", "cos",
    "cumprod", "cumsum", "define", "digamma", "eq", "erf", "erfc", "exp", "expectation", "expm1",
    "expm1x", "extent", "gaussian_expectation", "gaussian_log_density", "gaussian_pathwise",
    "gaussian_score", "indices", "inf", "kl_div", "let", "lgamma", "log", "log1mexp", "log1p",
    "log_cosh", "log_ratio", "log_sigmoid", "logsumexp", "max", "maximum", "mean", "min",
    "minimum", "ne", "norm2", "objective", "parse", "pi", "prod", "relu", "reverse_cumsum",
    "reverse_scan", "scan", "score_function", "sech", "sigmoid", "sign", "sin", "softplus", "sqrt",
    "stop_gradient", "sum", "tanh", "trigamma", "variable", "weighted", "where", "xlogy",
]  # fmt: skip
