"""Letters: how a name is written in a formula, `xhat` as a hat over x, `var` as sigma squared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
    "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
)  # fmt: skip
_ACCENTS = {"hat": "hat", "tilde": "tilde", "dot": "dot", "bar": "bar"}


@dataclass(frozen=True)
class Glyph:
    """What a name looks like, as LaTeX, before indices are put to it.

    Args:
        base: the letter, with any accent.
        sub: what stands below it before the indices.
        sup: what stands above it: a number if the name means a power (sigma squared).
    """

    base: str
    sub: str = ""
    sup: str = ""

    @property
    def is_power(self) -> bool:
        """Whether the superscript is a power, which a further power multiplies."""
        return self.sup.isdigit()

    def accented(self, accent: str) -> Glyph:
        """Return the glyph under an accent, wide where the glyph is."""
        if self.sup or len(_plain(self.base)) > 1:
            wide = {"bar": "overline", "hat": "widehat", "tilde": "widetilde"}.get(accent, accent)
            return Glyph(f"\\{wide}{{{self.base}{script('^', self.sup)}}}", self.sub)
        return replace(self, base=f"\\{accent}{{{self.base}}}")

    def at(self, places: tuple[str, ...] = (), power: str = "") -> str:
        """Write the glyph with index places and a power, `x_{ij}^2`."""
        short = all(len(place) == 1 for place in places)
        below = ", ".join(part for part in (self.sub, ("" if short else ", ").join(places)) if part)
        above = power or self.sup
        if power and self.sup:
            if not (self.is_power and power.isdigit()):
                return f"({self.at(places)}){script('^', power)}"
            above = str(int(self.sup) * int(power))
        return f"{self.base}{script('_', below)}{script('^', above)}"


def script(mark: str, inside: str) -> str:
    r"""Write a sub- or superscript, braced where it is more than one sign: `_i`, `_{ij}`."""
    if not inside:
        return ""
    return f"{mark}{inside}" if len(inside) == 1 else f"{mark}{{{inside}}}"


def glyph(name: str, table: Mapping[str, Glyph] | None = None) -> Glyph:
    r"""Return how a name is written.

    Greek names become letters, `lam` is λ and `eps` is ε, trailing digits go below, `xhat` and
    `x_bar` get accents, `var` is σ²; any other name of several letters stands upright.

    Args:
        name: an identifier.
        table: names that are to be written otherwise.
    """
    if table and name in table:
        return table[name]
    if name in _SPECIAL:
        return _SPECIAL[name]
    numbered = re.fullmatch(r"([a-zA-Z_]*[a-zA-Z])_?(\d+)", name)
    if numbered:
        stem = glyph(numbered[1], table)
        below = f"{stem.sub},{numbered[2]}" if stem.sub else numbered[2]
        return replace(stem, sub=below)
    letter = rf"[a-zA-Z]|{'|'.join(_GREEK)}"
    indexed = re.fullmatch(rf"({letter})_([a-zA-Z]{{1,2}})", name)
    if indexed:
        return replace(glyph(indexed[1], table), sub=indexed[2])
    accented = re.fullmatch(r"(.+)_(bar|hat|tilde|dot)", name) or re.fullmatch(
        rf"({letter})(bar|hat|tilde|dot)", name
    )
    if accented:
        return glyph(accented[1], table).accented(_ACCENTS[accented[2]])
    if len(name) == 1:
        return Glyph(name)
    if name in _GREEK:
        return Glyph(f"\\{name}")
    return Glyph(f"\\mathrm{{{name.strip('_').replace('_', '~')}}}")


def _plain(base: str) -> str:
    """Return what a reader sees of a base: accents are nothing, a command is one letter."""
    inside = re.sub(r"\\(hat|bar|tilde|dot|mathrm|mathcal|mathbf)\b", "", base).strip("{}")
    return "x" if re.fullmatch(r"\\[a-zA-Z]+|[{}]*.[{}]*", inside) else inside


_SPECIAL = {
    "lam": Glyph(r"\lambda"),
    "eps": Glyph(r"\varepsilon"),
    "var": Glyph(r"\sigma", sup="2"),
    "std": Glyph(r"\sigma"),
    "value": Glyph(r"\mathcal{L}"),
}
