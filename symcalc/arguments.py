"""What the words of a command line mean: names, formulas, shapes, domains, defaults, extents."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from symcalc.catalogue import catalogue, get
from symcalc.notation.errors import ArgumentError
from symcalc.notation.objective import Objective
from symcalc.notation.parser import parse

_NAME = re.compile(r"[\w.-]+")


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
        else:
            count = sum(o.name.startswith("formula") for o in found)
            name = f"formula_{count + 1}" if count else "formula"
            found.append(parse(text, wrt=by, name=name, **described))
    return found


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
