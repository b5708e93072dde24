"""Which letter stands for which argument on a page: the one place where this is chosen.

The formulas of a page read like a textbook when logits are z and labels are y. The table of inputs
says which letter means which argument.
"""

from __future__ import annotations

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
    "out": (_Y, Glyph("o")),
    "s": (Glyph("s"), Glyph("S")),
    "m": (Glyph("m"), Glyph("M")),
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
        wishes = _WISHES.get(name, ())
        if name == "softmax" and policy:
            wishes = (Glyph(r"\pi"), *wishes)
        barred = taken | {look for other, look in own.items() if other != name}
        found = next((w for w in wishes if _look(w) not in barred), glyph(name))
        chosen[name] = found
        taken.add(_look(found))
    return chosen


def _look(letter: Glyph) -> str:
    return letter.at()


def title(name: str) -> str:
    """Return a name as a heading: `bce_with_logits` is "BCE with logits"."""
    words = [word.upper() if word in _ACRONYMS else word for word in name.split("_") if word]
    heading = " ".join(words) or name
    return heading[0].upper() + heading[1:]
