r"""LaTeX to the mathematics of Typst: exactly the LaTeX that the notation prints."""

from __future__ import annotations

from symcalc.report.errors import ReportError
from symcalc.report.mathml import IDENTIFIERS, RELATIONS, TOKEN, UPRIGHT

_SIGNS = {
    "+": "+", "-": "-", "cdot": "dot.op", "times": "times", "wedge": "and", "vee": "or",
    "neg": "not", "circ": "compose", "top": "top", "prime": "prime", "dots": "dots.h",
    ",": r"\,", "/": r"\/", "|": "bar.v", "!": "!", ".": ".", "'": "prime", ":": ":", ";": r"\;",
}  # fmt: skip
_FENCES = {
    "(": r"\(", ")": r"\)", "[": r"\[", "]": r"\]", "lvert": "bar.v", "rvert": "bar.v",
    "lVert": "bar.v.double", "rVert": "bar.v.double", "lbrace": r"\{", "rbrace": r"\}",
    "{": r"\{", "}": r"\}", "lfloor": "floor.l", "rfloor": "floor.r", "|": "bar.v", ".": "",
}  # fmt: skip
_FUNCTIONS = {"log", "exp", "tanh", "cosh", "sinh", "sin", "cos", "arg"}
_ACCENTS = {
    "hat": "hat", "bar": "macron", "tilde": "tilde", "dot": "dot", "widehat": "hat",
    "widetilde": "tilde", "overline": "overline",
}  # fmt: skip
_SPACES = {",": "thin", ";": "med", "quad": "quad", "qquad": "wide", " ": "space"}
_LETTERS = {"mathbb": "bb", "mathcal": "cal"}


def typst_math(latex: str) -> str:
    r"""Convert a formula to what stands between Typst's dollar signs.

    Args:
        latex: LaTeX as `symcalc.notation.latex` prints it; `&` and `\\` align it.

    Raises:
        ReportError: the LaTeX has something that the notation never prints.
    """
    reader = _Reader(latex)
    found = reader.row(())
    if reader.place < len(reader.tokens):
        raise reader.unknown(reader.tokens[reader.place])
    return found


class _Reader:
    """Reads tokens from left to right; each method leaves off behind what it read."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.tokens = TOKEN.findall(latex)
        self.place = 0

    def unknown(self, token: str) -> ReportError:
        """Return the error that says what was not understood."""
        return ReportError(f"typst: expected LaTeX of the notation, got {token!r} in {self.latex}")

    def row(self, until: tuple[str, ...]) -> str:
        """Read up to one of some tokens, or to the end."""
        words: list[str] = []
        while self.place < len(self.tokens) and self._peek() not in until:
            if self._peek() == "}":
                break
            word = self._atom()
            if word:
                words.append(word)
        return " ".join(words)

    def _peek(self) -> str:
        while self.place < len(self.tokens) and self.tokens[self.place].isspace():
            self.place += 1
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise ReportError(f"typst: expected more after {self.latex}")
        self.place += 1
        return token

    def _group(self) -> str:
        """Read a braced group, or one token that stands for it."""
        if self._peek() != "{":
            return self._atom()
        self._next()
        found = self.row(())
        if self._next() != "}":
            raise self.unknown("{")
        return found or '""'

    def _text(self) -> str:
        """Read a braced group as plain text, spaces kept."""
        if self._next() != "{":
            raise self.unknown(self.tokens[self.place - 1])
        start = self.place
        while self.tokens[self.place] != "}":
            self.place += 1
        self.place += 1
        return "".join(self.tokens[start : self.place - 1]).replace("~", "\N{NO-BREAK SPACE}")

    def _atom(self) -> str:
        token = self._next()
        name = token[1:] if token.startswith("\\") else token
        if token in {"_", "^"}:
            return f"{token}({self._group()})"
        if token == "&":
            return "&"
        if token == r"\\":
            return "\\\n"
        if token == "{":
            self.place -= 1
            return self._group()
        if token.isalnum():
            return token
        if name in RELATIONS:
            return RELATIONS[name].replace("&lt;", "lt").replace("&gt;", "gt")
        if token.startswith("\\"):
            return self._command(token, name)
        if name in _FENCES and token not in "|.":
            return _FENCES[name]
        if name in _SIGNS:
            return _SIGNS[name]
        raise self.unknown(token)

    def _command(self, token: str, name: str) -> str:
        if name in IDENTIFIERS:
            return IDENTIFIERS[name]
        if name in UPRIGHT:
            return f"upright({UPRIGHT[name]})"
        if name in _FUNCTIONS:
            return f'op("{name}")'
        if name in {"max", "min"}:
            return f'op("{name}", limits: #true)'
        if name in {"sum", "prod"}:
            return "sum" if name == "sum" else "product"
        if name in _SPACES:
            return _SPACES[name]
        if name == "frac":
            return f"frac({self._group()}, {self._group()})"
        if name == "sqrt":
            return f"sqrt({self._group()})"
        if name in _ACCENTS:
            return f"{_ACCENTS[name]}({self._group()})"
        if name in _LETTERS:
            return f"{_LETTERS[name]}({self._text()})"
        if name in {"mathbf", "boldsymbol"}:
            letter = self._text()
            return f"bold(upright({IDENTIFIERS.get(letter[1:], letter)}))"
        if name in {"mathrm", "operatorname", "text"}:
            word = self._text()
            return f'op("{word}")' if name == "operatorname" else f'upright("{word}")'
        if name == "left":
            return self._fenced()
        if name == "begin":
            return self._cases()
        found = _FENCES.get(name) or _SIGNS.get(name)
        if found is None:
            raise self.unknown(token)
        return found

    def _fenced(self) -> str:
        start = self._next().lstrip("\\")
        inside = self.row((r"\right",))
        if self._next() != r"\right":
            raise self.unknown(r"\left")
        end = self._next().lstrip("\\")
        return f"lr({_FENCES.get(start, start)} {inside} {_FENCES.get(end, end)})"

    def _cases(self) -> str:
        kind = self._text()
        if kind != "cases":
            raise self.unknown(rf"\begin{{{kind}}}")
        rows = []
        while True:
            rows.append(self.row((r"\\", r"\end")))
            if self._next() == r"\end":
                break
        self._text()
        return f"cases({', '.join(rows)})"
