"""Which letter stands for which argument on a page: the one place where this is chosen.

The formulas of a page read like a textbook when logits are z and labels are y. The table of inputs
says which letter means which argument.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from symcalc.notation.lettering import Glyph, glyph
from symcalc.notation.objective import Objective

_Y = Glyph("y")

# For each name the letters to try, best first; the name's own writing is the last resort.
_WISHES: dict[str, tuple[Glyph, ...]] = {
    "logits": (Glyph("z"),),
    "scores": (Glyph("f"), Glyph("z")),
    "prediction": (Glyph(r"\hat{y}"),),
    "predictions": (Glyph(r"\hat{y}"),),
    "target": (_Y, Glyph("t")),
    "targets": (_Y, Glyph("t")),
    "labels": (_Y, Glyph(r"\ell")),
    "actions": (Glyph("a"),),
    "returns": (Glyph("G"), Glyph("R")),
    "rewards": (Glyph("R"),),
    "advantages": (Glyph("A"),),
    "values": (Glyph("V"),),
    "weights": (Glyph("w"),),
    "weight": (Glyph("W"), Glyph("w")),
    "bias": (Glyph("b"),),
    "clip": (Glyph(r"\epsilon"),),
    "temperature": (Glyph(r"\tau"),),
    "momentum": (Glyph(r"\mu"),),
    "log_q": (Glyph(r"\log q"),),
    "log_p": (Glyph(r"\log p"),),
    "log_probs": (Glyph(r"\log \pi"),),
    "old_log_probs": (Glyph(r"\ell", sup=r"\mathrm{old}"),),
    "ratio": (Glyph(r"\rho"),),
    "softmax": (Glyph("p"), Glyph(r"\pi"), Glyph("s")),
    "out": (_Y, Glyph("o"), Glyph("A")),
    "s": (Glyph("s"), Glyph("S")),
    "m": (Glyph("m"), Glyph("M")),
    "ahead": (Glyph("b"),),
    "anchor": (Glyph("a"),),
    "attended": (Glyph("A"),),
    "baseline": (Glyph("b"),),
    "best": (Glyph("M"),),
    "branch": (Glyph("F"),),
    "center": (Glyph(r"\bar{r}"),),
    "cosine": (Glyph(r"\kappa"),),
    "count": (Glyph("y"),),
    "desirable": (Glyph("d"),),
    "df": (Glyph(r"\nu"),),
    "dissimilar": (Glyph("u"),),
    "divergence": (Glyph("D"),),
    "dones": (Glyph("d"),),
    "entropy": (Glyph("H"),),
    "error": (Glyph(r"\delta"),),
    "expectation": (Glyph("E"),),
    "gate": (Glyph("U"),),
    "gradient": (Glyph("g"),),
    "gram": (Glyph("G"),),
    "head": (Glyph("o"),),
    "hidden": (Glyph("h"), Glyph(r"\psi")),
    "hit": (Glyph("h"),),
    "kept": (Glyph("q"),),
    "keys": (Glyph("K"),),
    "length": (Glyph(r"\ell"),),
    "lr": (Glyph(r"\eta"),),
    "margin": (
        Glyph("m"),
        Glyph(r"\mu"),
    ),
    "mask": (Glyph("M"),),
    "mean": (Glyph(r"\mu"),),
    "middle": (Glyph("u"),),
    "mismatched": (Glyph("q"),),
    "moved": (Glyph("u"),),
    "noise": (Glyph(r"\varepsilon"),),
    "noisy": (Glyph(r"\tilde{x}"),),
    "norm": (
        Glyph(r"\rho"),
        Glyph(r"\nu"),
    ),
    "normal": (Glyph(r"\hat{x}"), Glyph(r"\tilde{x}")),
    "place": (Glyph(r"\hat{a}"), Glyph(r"\hat{k}")),
    "now": (Glyph("a"),),
    "penalty": (Glyph(r"\lambda"),),
    "power": (Glyph("p"),),
    "probabilities": (Glyph("p"),),
    "probability": (
        Glyph("p"),
        Glyph(r"\hat{p}"),
    ),
    "product": (Glyph(r"\Pi"),),
    "quantile": (Glyph(r"\tau"),),
    "queries": (Glyph("Q"),),
    "rate": (
        Glyph(r"\alpha"),
        Glyph(r"\eta"),
    ),
    "relevance": (Glyph("r"),),
    "root": (
        Glyph(r"\rho"),
        Glyph("r"),
    ),
    "scale": (Glyph(r"\sigma"),),
    "score": (
        Glyph("S"),
        Glyph("e"),
    ),
    "share": (
        Glyph("P"),
        Glyph("A"),
    ),
    "shift": (Glyph(r"\Delta"),),
    "shrink": (Glyph(r"\kappa"),),
    "similarity": (Glyph("S"),),
    "slopes": (Glyph("g"),),
    "smooth": (Glyph(r"\epsilon"),),
    "smoothing": (Glyph(r"\epsilon"),),
    "square": (Glyph("v"),),
    "states": (Glyph("S"),),
    "step": (
        Glyph("t"),
        Glyph("T"),
    ),
    "tokens": (Glyph("t"),),
    "top": (
        Glyph("M"),
        Glyph("T"),
    ),
    "total": (
        Glyph("T"),
        Glyph("G"),
    ),
    "transitions": (Glyph("P"),),
    "velocity": (Glyph("v"),),
    "warmup": (Glyph("w"),),
    "across": (Glyph("S", sup="QK"),),
    "chosen": (Glyph("c", sup="+"),),
    "keyed": (Glyph("S", sup="KK"),),
    "negative": (Glyph("x", sup="-"),),
    "positive": (Glyph("x", sup="+"),),
    "queried": (Glyph("S", sup="QQ"),),
    "rejected": (Glyph("c", sup="-"),),
    "wk": (Glyph("W", sub="K"),),
    "wo": (Glyph("W", sub="O"),),
    "wq": (Glyph("W", sub="Q"),),
    "wv": (Glyph("W", sub="V"),),
}
_ACRONYMS = {
    "bce", "kl", "js", "ppo", "mse", "mae", "vae", "mlp", "gan", "dqn", "elbo", "nll", "rmse",
    "rms",
}  # fmt: skip


def symbols(objective: Objective, derivation: Any) -> dict[str, Glyph]:
    """Choose a letter for every name of a derivation, so that no two look alike.

    Args:
        objective: what the page is about; its inputs choose first.
        derivation: its derivation, whose equations and adjoints choose after them.
    """
    names = [t.name for t in objective.inputs] + [p.name for p in objective.parameters]
    derived = [e.target.name for e in derivation.equations] + [
        step.target.name for step in derivation.steps
    ]
    chosen: dict[str, Glyph] = {}
    taken = {dim.name for dim in objective.dims}
    own = {name: _look(glyph(name)) for name in names if name not in _WISHES}
    policy = {"actions", "returns", "advantages"} & set(names)
    for name in dict.fromkeys(names + derived):
        if name.endswith("_bar") and name not in names:
            continue  # follows what it is the adjoint of
        wishes = _wishes(name)
        if name == "softmax" and policy:
            wishes = (Glyph(r"\pi"), *wishes)
        barred = taken | {look for other, look in own.items() if other != name}
        found = next((w for w in wishes if _look(w) not in barred), glyph(name, chosen))
        chosen[name] = found
        taken.add(_look(found))
    return chosen


def _wishes(name: str) -> tuple[Glyph, ...]:
    """The letters to try for a name; a number at its end goes below."""
    numbered = re.fullmatch(r"(.+?)_?(\d+)", name)
    if name in _WISHES or not numbered:
        return _WISHES.get(name, ())
    found = _WISHES.get(numbered[1], ())
    return tuple(replace(letter, sub=numbered[2]) for letter in found if not letter.sub)


def _look(letter: Glyph) -> str:
    return letter.at()


def title(name: str) -> str:
    """Return a name as a heading: `bce_with_logits` is "BCE with logits"."""
    words = [word.upper() if word in _ACRONYMS else word for word in name.split("_") if word]
    heading = " ".join(words) or name
    return heading[0].upper() + heading[1:]
