"""What bounds the rows that fall short: found by profiling, written by hand, printed on the page.

Each key is a case's title, as the page spells it ("huber, n = 1000, float64"); each text is one or
two sentences in Markdown that say what was profiled and what it showed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

_DTYPES = ("float64", "float32")
_LARGE, _ROWS = "n = 10000000", "n = 8192, {} = 1024"

_CACHE = (
    "The floor's arrays stay in this processor's last-level cache while its batches run; "
    "called in turn with ours, so that each drives the other out, the floor takes up to 1.5 "
    "times as long."
)
_CALL = (
    "Of the checked call, 0.65 µs are Python's and Numba's: 0.2 µs to find the compiled code "
    "by the types of the arguments, the rest the method, its keywords and the tuple of "
    "results. `bind` pays them once."
)
_UNBOXING = (
    "The bound call takes 0.2 µs, of which Numba's wrapper takes 0.1 µs to unpack three "
    "arrays; NumPy's three calls take 1.2 µs."
)
_SHORT_ROWS = (
    "A row of ten is little more than one vector: four loops a row run mostly in their "
    "remainders, 40 ns a row. NumPy, over the whole array at once, has long loops."
)
_LOG_COSH = (
    "Bound by arithmetic: 130 instructions for eight float64 numbers, two of them divisions "
    "(one in the logarithm, one in tanh), the exponential shared by value and gradient."
)
_BCE = (
    "Bound by arithmetic: 215 instructions for sixteen float64 numbers or 157 for thirty-two "
    "of float32, four of them divisions (the logarithm's and the sigmoid's)."
)
_SOFTMAX = (
    "A row is walked three times in the nearest cache (maximum, exponentials, gradient), and "
    "memory rests meanwhile. Asking for the row to be written ahead of time gained an eighth;"
    " asking for the next row's entries gained nothing, and streaming stores were 1.3 to 1.7 "
    "times slower."
)
_LAYER_NORM = (
    "A row is walked three times (means, variance, results), for a variance needs its mean "
    "first; adding up the gradients of scale and shift is a tenth of the time."
)
_BATCH_NORM = (
    "Statistics are known after one pass over both arrays and used in a second, so that both "
    "are read twice; the floor counts them once. The first pass takes a third of the time, "
    "the second two."
)


def _each(names: Iterable[str], sizes: str, *texts: str) -> dict[str, str]:
    """One text for several objectives at one size, in both dtypes."""
    return {f"{name}, {sizes}, {dtype}": " ".join(texts) for name in names for dtype in _DTYPES}


FINDINGS: Mapping[str, str] = MappingProxyType({
    **_each(["mse", "huber"], _LARGE, "Bound by memory, like the floor.", _CACHE),
    **_each(["log_cosh"], _LARGE, _LOG_COSH, _CACHE),
    **_each(["bce_with_logits"], _LARGE, _BCE, _CACHE),
    **_each(["softmax_cross_entropy", "ppo_clip"], _ROWS.format("c"), _SOFTMAX, _CACHE),
    **_each(["layer_norm"], _ROWS.format("d"), _LAYER_NORM, _CACHE),
    **_each(["batch_norm"], _ROWS.format("d"), _BATCH_NORM, _CACHE),
    **_each(["huber"], "n = 1000", _CALL),
    **_each(["mse"], "n = 1000", _CALL, "NumPy's three calls take 1.5 µs in all."),
    **_each(["log_cosh"], "n = 1000", _CALL, _LOG_COSH),
    **_each(["bce_with_logits"], "n = 1000", _CALL, _BCE),
    **_each(["softmax_cross_entropy"], "n = 100, c = 10", _CALL, _SHORT_ROWS),
    **_each(["huber", "log_cosh", "bce_with_logits"], "n = 100", _CALL),
    **_each(["mse"], "n = 100", _CALL, _UNBOXING),
})  # fmt: skip
