"""Bad input, entry by entry: every declared domain is held to, and what is extreme has a limit."""

from __future__ import annotations

import numpy as np
import pytest

import symcalc as sc
from symcalc.verify.sampling import draw, primes

ENTRIES = list(sc.catalogue())


def point_of(objective):
    """A typical point: arrays and hyperparameters by name, the extents beside them."""
    sizes = primes(objective, (4, 3, 5))
    point = draw(objective, sizes, seed=0)
    arrays = {t.name: a for t, a in zip(objective.inputs, point.arrays, strict=True)}
    return arrays, point.hyper, sizes


def outside(domain, sizes, given):
    """Arrays that differ from a good one in their last entry, or in their last row."""
    wrong = []
    if domain.below is not None:
        wrong += [-1, sizes[domain.below.name]]
    elif domain.is_checked:
        wrong += [domain.lower if domain.open_lower else domain.lower - 0.25, domain.upper + 0.25]
        wrong = [value for value in wrong if abs(value) != np.inf] + [0.5] * bool(domain.values)
    for value in wrong:
        changed = given.copy()
        changed[(-1,) * changed.ndim] = value
        yield changed
    if domain.rows_sum_to_one:
        yield given * 0.9


def beyond(domain):
    """Numbers outside a domain, and what is no number."""
    ends = [domain.lower if domain.open_lower else domain.lower - 0.25, domain.upper + 0.25]
    return [np.nan, *(end for end in ends if abs(end) != np.inf)]


@pytest.mark.parametrize("name", ENTRIES)
def test_what_lies_outside_its_domain_is_refused_by_name(kernel, name):
    objective, call = sc.get(name), kernel(name, backend="numpy")
    arrays, hyper, sizes = point_of(objective)
    call(**arrays, **hyper)
    for tensor in objective.inputs:
        good = arrays[tensor.name]
        told = f"^{name}: {tensor.name}: expected "
        for wrong in outside(tensor.domain, sizes, good):
            with pytest.raises(sc.ArgumentError, match=told):
                call(**{**arrays, tensor.name: wrong}, **hyper)
        with pytest.raises(sc.ArgumentError, match=told + "shape"):
            call(**{**arrays, tensor.name: good[None]}, **hyper)
        with pytest.raises(sc.ArgumentTypeError, match=told):
            call(**{**arrays, tensor.name: good.astype(complex)}, **hyper)
    for parameter in objective.parameters:
        told = f"^{name}: {parameter.name}: expected "
        for number in beyond(parameter.domain):
            with pytest.raises(sc.ArgumentError, match=told):
                call(**arrays, **{**hyper, parameter.name: number})
        with pytest.raises(sc.ArgumentTypeError, match=told):
            call(**arrays, **{**hyper, parameter.name: "one"})


def results(call, objective, arrays, hyper):
    """Value and gradients, in one list."""
    if objective.is_scalar:
        value, gradient = call.value_and_grad(**arrays, **hyper)
    else:
        cotangent = np.ones(np.shape(call(**arrays, **hyper)))
        value, gradient = call.vjp(**arrays, **hyper, cotangent=cotangent)
    return [value, *(gradient if isinstance(gradient, tuple) else (gradient,))]


def masks_of(objective):
    """The inputs that say what counts."""
    return [t.name for t in objective.inputs if t.domain.values == (0.0, 1.0)]


MASKED = [name for name, objective in sc.catalogue().items() if masks_of(objective)]


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("bit", [0.0, 1.0])
def test_a_mask_of_one_bit_alone_leaves_numbers(kernel, name, bit):
    objective = sc.get(name)
    arrays, hyper, _ = point_of(objective)
    for mask in masks_of(objective):
        filled = {**arrays, mask: np.full_like(arrays[mask], bit)}
        for array in results(kernel(name, backend="numpy"), objective, filled, hyper):
            assert np.isfinite(array).all()


# What has no direction where nothing varies: the derivative of a length at zero is no number.
NO_DIRECTION = {"weight_norm"}
NORMALIZING = [
    name for name, objective in sc.catalogue().items()
    if objective.family == "normalization" or name.startswith(("grpo", "transformer"))
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NORMALIZING if name not in NO_DIRECTION])
def test_what_does_not_vary_is_normalized_to_numbers(kernel, name):
    objective = sc.get(name)
    arrays, hyper, _ = point_of(objective)
    first = "rewards" if "rewards" in arrays else "x"
    filled = {**arrays, first: np.full_like(arrays[first], 0.7)}
    for array in results(kernel(name, backend="numpy"), objective, filled, hyper):
        assert np.isfinite(array).all()


def test_temperatures_margins_and_clips_have_domains():
    """A temperature is above 0; what clips, weighs or pads is never below."""
    for name, objective in sc.catalogue().items():
        for parameter in objective.parameters:
            word = parameter.name
            if word == "temperature" and not name.startswith("sac"):
                assert not parameter.domain.admits(0.0), name
            if word == "eps" or word.startswith(("clip", "temperature", "lr", "max_", "sigma")):
                assert not parameter.domain.admits(-1.0), (name, word)
