"""Elementary functions that LLVM turns into SIMD: branch-free arithmetic and nothing else.

In Numba `math.exp` is a scalar call, which keeps the loop around it from being vectorised.  These
are polynomials, selects and moves between the bits of a float and of an integer, so that loops
vectorise on any processor.  One name serves float64 and float32 (integers are taken as float64):
compiled code resolves it by the argument's type, and from Python it may be called on a number.

NaN, infinities, signed zeros and denormals are values like any other.  The largest errors stand in
derivations/accuracy.md, with and without a fused multiply-add.

Reference: Cody and Waite, Software Manual for the Elementary Functions (1980), range reduction in
two parts; Muller et al., Handbook of Floating-Point Arithmetic, 2nd ed., chapters 4 and 10.
"""

from symcalc.backends.vector_math.error_function import erf, erfc
from symcalc.backends.vector_math.exponential import exp, exp2, exp_nonpositive, expm1, expm1x
from symcalc.backends.vector_math.gamma import digamma, lgamma, trigamma
from symcalc.backends.vector_math.hyperbolic import (
    log_cosh,
    log_sigmoid,
    sech,
    sigmoid,
    softplus,
    tanh,
)
from symcalc.backends.vector_math.logarithm import (
    kl_div,
    log,
    log1mexp,
    log1p,
    log1p_unit,
    log_ratio,
    xlogy,
)
from symcalc.backends.vector_math.power import power
from symcalc.backends.vector_math.squares import square, square_of_large, square_of_small

__all__ = [
    "digamma", "erf", "erfc", "exp", "exp2", "exp_nonpositive", "expm1", "expm1x", "kl_div",
    "lgamma", "log", "log1mexp", "log1p", "log1p_unit", "log_cosh", "log_ratio", "log_sigmoid",
    "power", "sech", "sigmoid", "softplus", "square", "square_of_large", "square_of_small", "tanh",
    "trigamma", "xlogy",
]  # fmt: skip
