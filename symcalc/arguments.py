"""What the words of a command line mean: names, formulas, shapes, domains, defaults, extents."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import re
from collections.abc import Mapping
from typing import Any

from symcalc.catalogue import catalogue, get
from symcalc.catalogue.mlp import mlp
from symcalc.notation.errors import ArgumentError
from symcalc.notation.objective import Objective
from symcalc.notation.parser import parse

_NAME = re.compile(r"[\w.-]+")
_NETWORK = re.compile(r"\s*mlp\s*\(")


def objectives(
    texts: list[str] | None,
    everything: bool,
    wrt: str | None,
    shape: list[str] | None,
    domain: list[str] | None,
    default: list[str] | None,
) -> list[Objective]:
    """Return what is meant: names from the catalogue, everything else read as a formula."""
    if everything == bool(texts):
        raise ArgumentError("expected names or formulas, or --all for the whole catalogue")
    described: dict[str, dict[str, Any]] = {
        "shapes": {k: " ".join(parts("--shape", v)) for k, v in pairs("--shape", shape)},
        "domains": dict(pairs("--domain", domain)),
        "defaults": {k: finite(f"--default: {k}", v) for k, v in pairs("--default", default)},
    }
    names = tuple(parts("--wrt", wrt)) if wrt is not None else None
    by = names[0] if names and len(names) == 1 else names
    found: list[Objective] = []
    for text in list(catalogue()) if everything else texts or []:
        if _NAME.fullmatch(text.strip()):
            objective = get(text.strip())
            if any(described.values()):
                raise ArgumentError(
                    f"--shape, --domain, --default: expected a formula, got {objective.name} from "
                    "the catalogue, which has its own"
                )
            found.append(objective if by is None else objective.by(by))
        elif _NETWORK.match(text):
            if any(described.values()):
                raise ArgumentError(
                    "--shape, --domain, --default: expected a formula, got a network, which has "
                    "its own"
                )
            count = sum(o.name.startswith("mlp") for o in found)
            made = network(text) if by is None else network(text).by(by)
            found.append(dataclasses.replace(made, name=f"mlp_{count + 1}") if count else made)
        else:
            count = sum(o.name.startswith("formula") for o in found)
            name = f"formula_{count + 1}" if count else "formula"
            found.append(parse(text, wrt=by, name=name, **described))
    return found


def network(text: str) -> Objective:
    """Return the network that a call spells: mlp(widths=(2, 8, 1), activation='tanh', loss='mse').

    Args:
        text: the call, of literals alone; they are read, not evaluated.

    Raises:
        ArgumentError: it is no such call.
        NotationError, UnknownObjectiveError: as for `symcalc.mlp`.
    """
    try:
        call: Any = ast.parse(text.strip(), mode="eval").body
        values = [ast.literal_eval(each) for each in call.args]
        named = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
        given = inspect.signature(mlp).bind(*values, **named)
    except (SyntaxError, ValueError, AttributeError, TypeError):
        raise ArgumentError(
            "mlp: expected literals for widths, activation and loss, such as "
            f"mlp(widths=(2, 8, 1), activation='tanh', loss='mse'), got {text.strip()!r}"
        ) from None
    return mlp(*given.args, **given.kwargs)


def refuse(with_what: str, given: Mapping[str, object]) -> None:
    """Refuse arguments that mean nothing beside another.

    Args:
        with_what: what they stand beside.
        given: each argument's value by its name; None where it was not given.

    Raises:
        ArgumentError: one was given.
    """
    for name, value in given.items():
        if value is not None:
            raise ArgumentError(f"{name}: not together with {with_what}, got {value}")


def parts(option: str, text: str) -> list[str]:
    """Return what commas separate."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise ArgumentError(f"{option}: expected words between commas, got {text!r}")
    return found


def numbers(option: str, text: str) -> list[float]:
    """Return finite numbers that commas separate."""
    return [finite(option, part) for part in parts(option, text)]


def finite(option: str, text: str) -> float:
    """Return a finite number.

    Raises:
        ArgumentError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentError(f"{option}: expected a finite number, got {text!r}")
    return number


def pairs(option: str, given: list[str] | None) -> list[tuple[str, str]]:
    """Return NAME=VALUE options as pairs."""
    found: dict[str, str] = {}
    for text in given or []:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name or not value:
            raise ArgumentError(f"{option}: expected NAME=VALUE, got {text!r}")
        if name in found:
            raise ArgumentError(f"{option}: {name} is given twice")
        found[name] = value
    return list(found.items())


def split_shapes(given: list[str] | None) -> tuple[dict[str, int], list[str]]:
    """Tell extents, n=8192,c=1024, from the dims of a formula's array, z=n,c."""
    sizes: dict[str, int] = {}
    arrays: list[str] = []
    for text in given or []:
        found = parts("--shape", text)
        if "=" in text and not any(re.search(r"=\s*[+-]?\d", part) for part in found):
            arrays.append(text)
            continue
        for name, value in pairs("--shape", found):
            if not value.isdecimal() or int(value) < 1:
                raise ArgumentError(
                    f"--shape: {name}: expected a positive whole number, got {value!r}"
                )
            if name in sizes:
                raise ArgumentError(f"--shape: {name} is given twice")
            sizes[name] = int(value)
    return sizes, arrays


def extents(objective: Objective, given: dict[str, int]) -> tuple[int, ...] | None:
    """Return an extent for each dim, in the objective's order."""
    dims = [dim.name for dim in objective.dims]
    if not given:
        return None
    if set(given) != set(dims):
        raise ArgumentError(
            f"--shape: {objective.name} has dims {', '.join(dims)}; "
            f"expected {','.join(f'{dim}=SIZE' for dim in dims)}, got {', '.join(given)}"
        )
    return tuple(given[dim] for dim in dims)
