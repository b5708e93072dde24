"""Gradients against SymPy's own, of the formula written out entry by entry at extents 2 and 3."""

import numpy as np
import pytest
from entries import entries
from witness import Unrolled, all_sizes, draw

import symcalc as sc

TRAPS = {
    # an index that a bound one of the same letter could capture
    "exp(x[i])/sum(j, exp(x[j]))": {},
    "exp(x[i])/sum(i, exp(x[i]))": {},
    "sum(i, w[i]*exp(x[i])/sum(j, exp(x[j])))": {},
    "sum(i, x[i]*sum(i, x[i]**2))": {},
    "sum(i, sum(i, x[i]**2))": {},
    "sum(i, x[i]*sum(j, x[j]*sum(i, x[i]*A[i,j])))": {},
    # two reductions over one letter
    "sum(i, x[i])*sum(i, y[i])": {},
    "sum(i, x[i])*sum(i, x[i])**2": {},
    "max(i, x[i])*min(i, x[i])": {},
    "log(mean(i, exp(x[i]))) + logsumexp(i, 2*x[i])": {},
    # one tensor several times
    "sum(i, sum(j, x[i]*x[j]*A[i,j]))": {},
    "sum(i, A[i,i]**2)": {},
    "sum(i, A[i,i])*sum(i, j, A[i,j]*A[j,i])": {},
    "sum(k, A[i,k]*A[k,j])": {},
    "A[i,j]*x[j]": {"wrt": ("A", "x")},
    "x[i]*x[j]": {},
    "sum(i, x[0]*x[i]) + x[1]**2": {},
    # an access or an index that is the whole derivative
    "x[i]": {},
    "sum(i, i*x[i])": {},
    "sum(i, x[i])*n": {},
    # shifts and their bounds
    "sum(t, (V[t+1] - V[t])**2)": {},
    "sum(t, (V[t] - V[t-1])**2)": {},
    "sum(t, V[t-1]*V[t]**2)": {},
    "mean(t, (r[t] + 0.5*V[t+1] - V[t])**2)": {"wrt": "V"},
    "V[t+1]*V[t]": {},
    "V[t] - V[t-1]": {},
    "sum(i, x[i]*y[i+1])": {"wrt": ("x", "y")},
    # gathers: several i may hit one entry
    "mean(i, z[i, y[i]]**2)": {"wrt": "z"},
    "mean(i, exp(w[y[i]])*x[i])": {"wrt": ("w", "x")},
    "sum(i, x[y[i]]*x[i])": {},
    "sum(i, A[y[i], y[i]]**2)": {"wrt": "A"},
    "sum(i, A[i, y[i]]*A[y[i], i])": {"wrt": "A"},
    "w[y[i]]*x[i]": {"wrt": ("w", "x")},
    "sum(i, w[y[t[i]]])": {"wrt": "w"},
    # conditions on indices
    "sum(i, sum(j, where(j <= i, x[j]*x[i], 0)))": {},
    "sum(i, x[i]*log(sum(j, where(j <= i, exp(x[j]), 0))))": {},
    "sum(i, where(i == 0, x[i]**2, 3*x[i]))": {},
    "sum(k, w[k]*sum(i, where(k == y[i], x[i], 0))**2)": {"wrt": ("w", "x")},
    "sum(i, sum(k, where(k == y[i], 1, 0)*z[i,k]**2))": {"wrt": "z"},
    # conditions on values
    "sum(i, where((x[i] > 0) & (y[i] < 0), x[i]**2, x[i]))": {},
    "sum(i, where((x[i] > 0) or not (y[i] < 0), x[i]**2, x[i]))": {},
    "sum(i, where(x[i] > 0, sqrt(x[i]), x[i]**3))": {},
    # every reduction, nested
    "sum(i, max(k, z[i,k]**2))": {},
    "sum(i, min(k, z[i,k]**3))": {},
    "max(i, max(k, z[i,k]))": {},
    "prod(i, x[i])": {},
    "sum(i, prod(k, 1 + z[i,k]**2))": {},
    "prod(i, sum(k, z[i,k]))": {},
    "norm2(i, x[i])": {},
    "sum(i, norm2(k, z[i,k] - w[k]))": {"wrt": ("z", "w")},
    "mean(i, mean(k, z[i,k]**3))": {},
    "mean(i, k, z[i,k]**3)": {},
    "mean(i, mean(i, x[i])**2 + x[i])": {},
    "logsumexp(i, logsumexp(k, z[i,k]))": {},
    "logsumexp(i, x[i]*mean(k, z[i,k]))": {"wrt": ("x", "z")},
    "sum(k, A[i,k]*B[k,j])": {"wrt": ("A", "B")},
    # every atom
    "sum(i, relu(x[i])**2 + log_sigmoid(x[i]) + sech(x[i]) + clip(x[i], -1, 1)**2)": {},
    "sum(i, tanh(x[i])*expm1(x[i]) + erf(x[i])*sigmoid(x[i]) + softplus(x[i])**2)": {},
    "sum(i, log1p(x[i]**2) + log1mexp(x[i]**2 + 1) + xlogy(x[i]**2, 2 + x[i]))": {},
    "sum(i, log_cosh(x[i])*abs(x[i]) + maximum(x[i], y[i])*minimum(x[i], 2*y[i]))": {},
    "sum(i, lgamma(x[i] + 3))": {"domains": {"x": "positive"}},
    "sum(i, expm1x(x[i]) * erfc(x[i]) + log_ratio(x[i]**2 + 1, 2 + x[i]**2))": {},
    "sum(i, kl_div(exp(x[i]), 1 + x[i]**2))": {},
    "sum(i, sign(x[i])*x[i]**2)": {},
    "sum(i, stop_gradient(x[i])*x[i]**2)": {},
    "sum(i, stop_gradient(mean(j, x[j]))*x[i])": {},
    # powers
    "sum(i, x[i]**3.5 + x[i]**-2 + 2**x[i])": {"domains": {"x": "positive"}},
    "sum(i, x[i]**y[i])": {"domains": {"x": "positive"}, "wrt": ("x", "y")},
}


def compared(objective, sizes, kernel):
    """Hold a kernel's value and gradient against the witness."""
    point = draw(objective, sizes)
    witness = Unrolled(objective, sizes, point)
    value = witness.value()
    if objective.is_scalar:
        cotangent, result = None, kernel.value_and_grad(**point)
    else:
        cotangent = np.random.default_rng(1).integers(-9, 9, np.shape(value)) / 8
        result = kernel.vjp(**point, cotangent=cotangent)
    gradients = result[1] if isinstance(result[1], tuple) else (result[1],)
    close(result[0], value)
    for name, gradient in zip(objective.wrt, gradients, strict=True):
        close(gradient, witness.gradient(name, cotangent))


def close(found, expected):
    expected = np.asarray(expected, dtype=float)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", entries())
def test_the_catalogue_agrees(kernel, name):
    objective = sc.get(name)
    for sizes in all_sizes(objective):
        compared(objective, sizes, kernel(name, backend="numpy"))


@pytest.mark.parametrize("text", TRAPS)
def test_a_trap_is_not_stepped_into(text):
    objective = sc.parse(text, **TRAPS[text])
    kernel = sc.compile(objective, backend="numpy")
    for sizes in all_sizes(objective):
        if sizes.get("n_t", 2) > 1:
            compared(objective, sizes, kernel)


@pytest.mark.parametrize("text", TRAPS)
def test_every_step_of_a_trap_holds(text):
    derivation = sc.derive(sc.parse(text, **TRAPS[text]))
    assert [str(s) for s in derivation.steps if not s.holds()] == []


@pytest.mark.parametrize("name", entries())
def test_extents_of_one_are_extents_too(kernel, name):
    objective = sc.get(name)
    sizes = dict.fromkeys((d.name for d in objective.dims), 1)
    compared(objective, sizes, kernel(name, backend="numpy"))


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("name", entries(lambda o: o.averages))
def test_other_reductions_agree(kernel, name, reduction):
    objective = sc.get(name).with_reduction(reduction)
    for sizes in all_sizes(objective, (3,)):
        compared(objective, sizes, kernel(name, backend="numpy", reduction=reduction))


@pytest.mark.parametrize("name", entries(lambda o: o.averages))
def test_weights_agree(name):
    objective = sc.get(name).with_weights()
    kernel = sc.compile(objective, backend="numpy")
    for sizes in all_sizes(objective, (3,)):
        compared(objective, sizes, kernel)


@pytest.mark.parametrize(
    ("name", "wrt"),
    [("mse", ("prediction", "target")), ("huber", "target"), ("bce_with_logits", "targets"),
     ("hinge", "labels"), ("kl_divergence", ("log_q", "p")), ("layer_norm", "gamma"),
     ("batch_norm", ("x", "beta")), ("reinforce", ("logits", "returns")),
     ("ppo_clip", ("logits", "old_log_probs", "advantages"))],
)  # fmt: skip
def test_other_inputs_can_be_differentiated_by(kernel, name, wrt):
    objective = sc.get(name).by(wrt)
    for sizes in all_sizes(objective, (2,)):
        compared(objective, sizes, kernel(name, backend="numpy", wrt=wrt))


CURVED = {
    # a fixed place of a definition is no index that could be matched
    "logsumexp(k, u[k]/p[w[k]])/(p[0] + q[0,0])": {
        "domains": {"p": "positive"}, "shapes": {"p": "n", "q": "n c", "w": "c", "u": "c"},
        "wrt": "p",
    },
    # several entries of one positive tensor
    "sum(i, log(1 + p[1]*p[i] + p[i]**2))": {"domains": {"p": "positive"}},
    # tensors that are defined on a part of the range alone
    "tanh(prod(i, tanh(sum(j, u[i+1]*v[j]))/2 + 1))": {"wrt": "u"},
    "tanh(prod(i, tanh(sum(j, u[i]*v[j]))/2 + u[i+1]))": {"wrt": "u"},
    # a reduction that leaves the choice which keeps it in bounds
    "tanh(prod(k, prod(j, tanh(x[k]**2*x[k+1]**2 + v[j])/2 + 1))**2)": {"wrt": "x"},
}  # fmt: skip


@pytest.mark.parametrize("text", CURVED)
def test_a_hessian_product_agrees(text):
    objective = sc.parse(text, **CURVED[text])
    kernel = sc.compile(objective, backend="numpy")
    (name,) = objective.wrt
    for sizes in all_sizes(objective):
        point = draw(objective, sizes)
        vector = np.random.default_rng(3).integers(-9, 9, np.shape(point[name])) / 8
        found = kernel.hvp(**point, vector=vector)
        close(found, Unrolled(objective, sizes, point).product(name, {name: vector}))
