"""Layers of networks."""

from symcalc.notation import Array, Formula, Real, indices, objective, sum


@objective(wrt=("x", "weight", "bias"), reference="Rosenblatt (1958), doi:10.1037/h0042519")
def dense(x: Real[Array, "n d"], weight: Real[Array, "m d"], bias: Real[Array, "m"]) -> Formula:
    """Affine map of each row: x W^T + b.

    The convention is PyTorch's Linear: the weight has a row for each output.
    """
    i, k, j = indices("n k:m j:d")
    return sum(j, x[i, j] * weight[k, j]) + bias[k]
