"""Every kind of access and masked range: values, gradients and products, against torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import symcalc as sc

torch = pytest.importorskip("torch")


@dataclass(frozen=True)
class Case:
    """A formula, the shapes of its real arrays, and what torch makes of the same."""

    text: str
    shapes: dict[str, tuple[int, ...]]
    torch: Callable[..., Any]
    wrt: tuple[str, ...]
    labels: dict[str, tuple[int, ...]]


def case(
    text: str, written: Callable[..., Any], wrt: str, labels: dict[str, Any] | None = None,
    **shapes: tuple[int, ...],
) -> Case:  # fmt: skip
    return Case(text, shapes, written, tuple(wrt.split()), labels or {})


def _conv(x: Any, w: Any, **options: int) -> Any:
    return torch.nn.functional.conv1d(x[None, None], w[None, None], **options)[0, 0]


def _causal(s: Any) -> Any:
    return torch.where(torch.ones(s.shape).tril() > 0, s, -torch.inf)


def _attention(q: Any, k: Any, v: Any) -> Any:
    return ((torch.softmax(_causal(q @ k.T), 1) @ v) ** 2).sum()


ATTENTION = (
    "sum(i, c, sum(j <= i, exp(sum(d, q[i,d]*k[j,d]) - logsumexp(a <= i, sum(b, q[i,b]*k[a,b])))"
    "*v[j,c])**2)"
)

CASES = [
    case("sum(i, sum(j, x[i+j]*w[j])**2)", lambda x, w: (_conv(x, w) ** 2).sum(), "x w",
         x=(7,), w=(3,)),
    case("sum(i, sum(j, x[i+j]*w[j])**2)", lambda x, w: (_conv(x, w) ** 2).sum(), "x w",
         x=(4,), w=(4,)),
    case("sum(i, sum(j, x[i+j]*w[j])**2)", lambda x, w: (_conv(x, w) ** 2).sum(), "x w",
         x=(5,), w=(1,)),
    case("sum(i, sum(j, x[i-j]*w[j])**2)", lambda x, w: (_conv(x, w.flip(0)) ** 2).sum(), "x w",
         x=(7,), w=(3,)),
    case("sum(i, sum(j, x[2*i+3*j]*w[j])**2)",
         lambda x, w: (_conv(x, w, stride=2, dilation=3) ** 2).sum(), "x w", x=(12,), w=(3,)),
    case("sum(i, b[i]*sum(j, x[i+j]*w[j])**2)",
         lambda b, x, w: (b[:5] * _conv(x, w)[: len(b)] ** 2).sum(), "x b", b=(9,), x=(7,), w=(3,)),
    case("mean(i, (x[2*i+1] - x[2*i])**2)", lambda x: ((x[1::2] - x[0:6:2]) ** 2).mean(), "x",
         x=(7,)),
    case("sum(i, x[3*i+1]**3)", lambda x: (x[1::3] ** 3).sum(), "x", x=(8,)),
    case("sum(i, x[n-1-i]*w[i]*x[i]**2)", lambda x, w: (x.flip(0) * w * x**2).sum(), "x w",
         x=(5,), w=(5,)),
    case("sum(i, A[i,i]**2*x[0])", lambda A, x: (torch.diagonal(A) ** 2 * x[0]).sum(), "A x",
         A=(3, 3), x=(2,)),
    case("sum(i, j, A[i,i]*A[i,j]*A[j,i])",
         lambda A: (torch.diagonal(A)[:, None] * A * A.T).sum(), "A", A=(3, 3)),
    case("sum(i, j, A[i,i+j]**3)",
         lambda A: sum(A[i, i + j] ** 3 for i in range(2) for j in range(3)), "A", A=(2, 4)),
    case("sum(i, z[i,y[i]]**3)", lambda z, y: (z[torch.arange(4), y] ** 3).sum(), "z",
         {"y": (2, 0, 2, 1)}, z=(4, 3)),
    case("sum(i, k, E[t[i],k]**3*w[k])", lambda E, t, w: (E[t] ** 3 * w).sum(), "E w",
         {"t": (2, 0, 2, 2)}, E=(3, 2), w=(2,)),
    case("sum(i, x[y[z[i]]]**3)", lambda x, y, z: (x[y[z]] ** 3).sum(), "x",
         {"y": (1, 0, 1), "z": (2, 2, 0, 1)}, x=(2,)),
    case("sum(i, u[y[i]]**2*v[y[i]])", lambda u, y, v: (u[y] ** 2 * v[y]).sum(), "u v",
         {"y": (2, 0, 2, 1)}, u=(3,), v=(3,)),
    case("sum(i, x[i,argmax(k, z[i,k])]**3)",
         lambda x, z: (x[torch.arange(4), z.argmax(1)] ** 3).sum(), "x", x=(4, 3), z=(4, 3)),
    case("sum(i, x[i]**2*argmin(k, x[i]*z[k]))",
         lambda x, z: (x**2 * (x[:, None] * z).argmin(1)).sum(), "x", x=(4,), z=(3,)),
    case("sum(i, sum(j <= i, x[j])**2)", lambda x: (torch.cumsum(x, 0) ** 2).sum(), "x", x=(5,)),
    case("sum(i, mean(j <= i, x[j]**2)**2)",
         lambda x: ((torch.cumsum(x**2, 0) / torch.arange(1, 6)) ** 2).sum(), "x", x=(5,)),
    case("sum(i, logsumexp(j <= i, s[i,j])**2)",
         lambda s: (torch.logsumexp(_causal(s), 1) ** 2).sum(), "s", s=(4, 4)),
    case("sum(i, logsumexp(j, where(j <= i, s[i,j], -inf))**2)",
         lambda s: (torch.logsumexp(_causal(s), 1) ** 2).sum(), "s", s=(4, 4)),
    case("sum(i, max(j <= i, s[i,j])**2)", lambda s: (_causal(s).max(1)[0] ** 2).sum(), "s",
         s=(4, 4)),
    case("sum(i, min(j, s[i,j], where=j >= i)**2)",
         lambda s: (torch.where(torch.ones(4, 4).triu() > 0, s, torch.inf).min(1)[0] ** 2).sum(),
         "s", s=(4, 4)),
    case("sum(i, norm2(j <= i, s[i,j]))", lambda s: (s.tril() ** 2).sum(1).sqrt().sum(), "s",
         s=(4, 4)),
    case("sum(i, prod(j, s[i,j], where=j <= i))",
         lambda s: torch.where(torch.ones(4, 4).tril() > 0, s, 1.0).prod(1).sum(), "s", s=(4, 4)),
    case("max(i, j, s[i,j])*x[0]", lambda s, x: s.max() * x[0], "s x", s=(3, 4), x=(2,)),
    case("norm2(i, j, s[i,j])", lambda s: (s**2).sum().sqrt(), "s", s=(3, 4)),
    case("prod(i, j, s[i,j])", lambda s: s.prod(), "s", s=(2, 3)),
    case(ATTENTION, _attention, "q k v", q=(3, 2), k=(3, 2), v=(3, 2)),
]  # fmt: skip
COMPILED = (0, 4, 6, 8, 11, 12, 16, 20, len(CASES) - 1)  # by Numba too


def _run(case: Case, backend: str) -> None:
    rng = np.random.default_rng(7)
    objective = sc.parse(case.text, wrt=case.wrt)
    arrays: dict[str, Any] = {n: rng.normal(size=shape) for n, shape in case.shapes.items()}
    arrays |= {name: np.array(labels) for name, labels in case.labels.items()}
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    for name in case.wrt:
        tensors[name].requires_grad_()
    vectors = [rng.normal(size=case.shapes[name]) for name in case.wrt]
    moved = [tensors[name] for name in case.wrt]
    value = case.torch(**tensors)
    gradient = torch.autograd.grad(value, moved, create_graph=True, allow_unused=True)
    along = sum((g * torch.tensor(v)).sum() for g, v in zip(gradient, vectors, strict=True))
    product = torch.autograd.grad(along, moved, allow_unused=True)

    kernel = sc.compile(objective, backend=backend)
    given = [arrays[tensor.name] for tensor in objective.inputs]
    ours, slopes = kernel.value_and_grad(*given)
    np.testing.assert_allclose(ours, value.item(), rtol=1e-11)
    for mine, theirs in zip(slopes, gradient, strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-9, atol=1e-11)
    tangents = dict(zip(case.wrt, vectors, strict=True))
    np.testing.assert_allclose(
        kernel.jvp(*given, tangents=tangents)[1], along.item(), rtol=1e-9, atol=1e-11
    )
    products = kernel.hvp(*given, vector=tuple(vectors))
    for mine, theirs in zip(products, product, strict=True):
        wanted = np.zeros(mine.shape) if theirs is None else theirs.numpy()
        np.testing.assert_allclose(mine, wanted, rtol=1e-9, atol=1e-11)


@pytest.fixture(autouse=True)
def double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.text)
def test_accesses_agree_with_torch(case):
    _run(case, "numpy")


@pytest.mark.parametrize("number", COMPILED)
def test_kernels_of_accesses_agree_with_torch(number):
    _run(CASES[number], "numba")


def test_a_label_beside_a_shifted_place_of_the_same_array_is_no_match():
    formula = "logsumexp(i, A[i,i+1]**2) + sum(j, exp(A[y[j],0]**2))"
    found = sc.derive(sc.parse(formula, wrt="A"))
    assert all(step.holds() for step in found.steps)


def test_a_maximum_over_a_row_that_is_read_from_its_end():
    kernel = sc.compile(sc.parse("max(i, tanh(x[n-i-1])**2)", wrt="x"), backend="numpy")
    x, v = np.array([0.3, -1.0, 0.5]), np.array([1.0, 2.0, 3.0])
    value, slope = kernel.value_and_grad(x)
    t = np.tanh(-1.0)
    assert value == pytest.approx(t**2, rel=1e-15)
    np.testing.assert_allclose(slope, [0, 2 * t * (1 - t**2), 0], rtol=1e-14)
    curvature = 2 * (1 - t**2) * (1 - 3 * t**2)
    np.testing.assert_allclose(kernel.hvp(x, vector=v), [0, 2 * curvature, 0], rtol=1e-13)
    np.testing.assert_allclose(kernel.jvp(x, tangents={"x": v})[1], v @ slope, rtol=1e-14)
