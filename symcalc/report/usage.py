"""The lines of Python that use an objective, ready to copy."""

from __future__ import annotations

from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor

_SIZES = (8, 4, 3, 5)


def usage(objective: Objective) -> str:
    """Return a short script that draws inputs, compiles the kernel and calls it.

    Args:
        objective: what to use.
    """
    sizes = dict(zip((dim.name for dim in objective.dims), _SIZES, strict=False))
    lines = ["import numpy as np", "import symcalc as sc", "", "rng = np.random.default_rng(0)"]
    lines += [f"{t.name} = {_sample(t, sizes)}" for t in objective.inputs]
    arguments = [t.name for t in objective.inputs]
    arguments += [
        f"{p.name}={1.0 if p.default is None else p.default:g}" for p in objective.parameters
    ]
    call = ", ".join(arguments)
    grads = [f"{name}_bar" for name in objective.wrt]
    found = grads[0] if objective.single else f"({', '.join(grads)}{',' * (len(grads) == 1)})"
    lines += ["", f"kernel = sc.compile({_made(objective)})"]
    if objective.is_scalar:
        lines.append(f"value, {found} = kernel.value_and_grad({call})")
    else:
        shape = ", ".join(_extent(i.extent, sizes) for i in objective.outputs)
        shape += "," * (len(objective.outputs) == 1)
        lines += [f"out = kernel({call})", f"out_bar = np.ones(({shape}))"]
        lines.append(f"out, {found} = kernel.vjp({call}, cotangent=out_bar)")
    return "\n".join(lines) + "\n"


def _made(objective: Objective) -> str:
    if objective.spelling:
        return objective.spelling
    if objective.family:
        return f'sc.get("{objective.name}")'
    wrt = f'"{objective.wrt[0]}"' if objective.single else str(objective.wrt)
    return f"sc.parse({_quoted(objective.notes or str(objective.body))}, wrt={wrt})"


def _quoted(text: str) -> str:
    """Quote a formula on one line."""
    return '"' + " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _extent(extent: object, sizes: dict[str, int]) -> str:
    text = str(extent)
    for name, size in sizes.items():
        if text == name:
            return str(size)
    base, _, less = text.partition(" - ")
    return str(sizes.get(base, 4) - int(less)) if less.isdigit() else str(sizes.get(text, 4))


def _sample(tensor: Tensor, sizes: dict[str, int]) -> str:
    """Write the expression that draws an array of the tensor's domain."""
    domain = tensor.domain
    extents = [_extent(extent, sizes) for extent in tensor.shape]
    shape = f"({', '.join(extents)})" if len(extents) != 1 else extents[0]
    if domain.below is not None:
        return f"rng.integers(0, {sizes.get(domain.below.name, 3)}, size={shape})"
    if domain.values:
        return f"rng.choice({list(domain.values)}, size={shape})"
    if domain.rows_sum_to_one:
        rows = f"({', '.join(extents[:-1])})" if len(extents) != 2 else extents[0]
        return f"rng.dirichlet(np.ones({extents[-1]}), size={rows})"
    if domain.lower == 0 and domain.upper == 1:
        return f"rng.uniform(size={shape})"
    if domain.lower == 0:
        return f"rng.exponential(size={shape})"
    return f"rng.normal(size={shape})"
