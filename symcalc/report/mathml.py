"""LaTeX to MathML: exactly the LaTeX that the notation prints, set as MathML Core sets it well.

Browsers draw MathML Core, which has no column alignment of its own and few guesses; so every
operator here says its form and stretching, and tables carry a class that the page's style aligns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from symcalc.report.errors import ReportError

TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}^_&]|\d+|\s+|.", re.DOTALL)

IDENTIFIERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ",
    "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ",
    "phi": "ϕ", "chi": "χ", "psi": "ψ", "omega": "ω", "ell": "ℓ", "partial": "∂", "infty": "∞",
}  # fmt: skip
UPRIGHT = {
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
RELATIONS = {
    "=": "=", "<": "&lt;", ">": "&gt;", "le": "≤", "ge": "≥", "ne": "≠", "in": "∈",
    "leftarrow": "←", "approx": "≈", "to": "→", "sim": "∼",
}  # fmt: skip
_BINARY = {"+": "+", "-": "−", "cdot": "⋅", "times": "×", "wedge": "∧", "vee": "∨", "bmod": " mod ",
           "circ": "∘"}  # fmt: skip
_FUNCTIONS = {"log", "exp", "tanh", "cosh", "sinh", "sin", "cos", "arg"}
_LIMITS = {"max", "min"}
_BIG = {"sum": "∑", "prod": "∏"}
_OPEN = {"(": "(", "[": "[", "lvert": "|", "lVert": "‖", "lbrace": "{", "{": "{", "lfloor": "⌊"}
_CLOSE = {")": ")", "]": "]", "rvert": "|", "rVert": "‖", "rbrace": "}", "}": "}", "rfloor": "⌋"}
_PLAIN_FENCES = set("()[]")
_ACCENTS = {"hat": "^", "tilde": "~", "dot": "˙"}
_WIDE = {"widehat": "^", "widetilde": "~"}
_SPACES = {",": "0.1667em", ";": "0.2778em", "quad": "1em", "qquad": "2em", " ": "0.25em"}
_DOUBLE = {"R": "ℝ", "N": "ℕ", "Z": "ℤ", "E": "𝔼"}
_BOLD = (("A", "Z", 0x1D400), ("a", "z", 0x1D41A), ("0", "9", 0x1D7CE), ("Α", "Ω", 0x1D6A8),
         ("α", "ω", 0x1D6C2))  # fmt: skip
_BOLD_VARIANTS = {"ϵ": "\U0001d6dc", "ϕ": "\U0001d6df"}
_SCRIPT = {"L": "ℒ", "N": "𝒩", "D": "𝒟", "H": "ℋ"}


@dataclass
class Node:
    """A piece of MathML, and what its neighbours must know of it.

    Kinds: ord (a letter, a number, a fraction), open, close, rel (relation), bin (binary), comma,
    fun (a function's name), big (an operator with limits), space.
    """

    markup: str
    kind: str = "ord"


def mathml(latex: str, display: bool = False, label: str = "") -> str:
    r"""Convert a formula to a `<math>` element.

    Args:
        latex: LaTeX as `symcalc.notation.latex` prints it.
        display: whether it stands on a line of its own.
        label: what a listener is told, if the formula alone does not say it.

    Raises:
        ReportError: the LaTeX has something that this printer never prints.
    """
    said = f' aria-label="{escape(label, quote=True)}"' if label else ""
    mode = ' display="block"' if display else ""
    return f"<math{mode}{said}>{_Reader(latex).whole()}</math>"


class _Reader:
    """Reads tokens from left to right; each method leaves off behind what it read."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.spaced = TOKEN.findall(latex)
        self.positions = [k for k, token in enumerate(self.spaced) if not token.isspace()]
        self.tokens = [self.spaced[k] for k in self.positions]
        self.place = 0

    def whole(self) -> str:
        """Read everything."""
        found = self._row(())
        if self.place < len(self.tokens):
            raise self._unknown(self.tokens[self.place])
        return found

    def _unknown(self, token: str) -> ReportError:
        return ReportError(f"mathml: expected LaTeX of the notation, got {token!r} in {self.latex}")

    def _next(self) -> str:
        if self.place >= len(self.tokens):
            raise ReportError(f"mathml: expected more after {self.latex}")
        self.place += 1
        return self.tokens[self.place - 1]

    def _peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def _row(self, until: tuple[str, ...]) -> str:
        """Read up to one of some tokens, which is left to the caller; return an mrow."""
        return f"<mrow>{_joined(self._nodes(until))}</mrow>"

    def _nodes(self, until: tuple[str, ...]) -> list[Node]:
        nodes: list[Node] = []
        while self.place < len(self.tokens) and self._peek() not in until:
            if self._peek() in {"}", "&", r"\\", r"\right", r"\end"}:
                break
            nodes.append(self._scripted(self._atom(nodes)))
        return nodes

    def _group(self) -> str:
        """Read a braced group, or one token that stands for it; the whole is one element."""
        if self._peek() != "{":
            return self._atom([]).markup
        self._next()
        nodes = self._nodes(("}",))
        if self._next() != "}":
            raise self._unknown("{")
        return nodes[0].markup if len(nodes) == 1 else f"<mrow>{_joined(nodes)}</mrow>"

    def _text(self) -> str:
        """Read a braced group as plain text, spaces kept."""
        if self._next() != "{":
            raise self._unknown(self.tokens[self.place - 1])
        start = self.positions[self.place - 1] + 1
        while self._next() != "}":
            pass
        end = self.positions[self.place - 1]
        return "".join(self.spaced[start:end]).replace("~", "\u00a0")

    def _scripted(self, node: Node) -> Node:
        below, above = "", ""
        while self._peek() in ("_", "^", "'"):
            mark = self._next()
            if mark == "_":
                below = self._group()
            elif mark == "^":
                above = self._group()
            else:
                above = "<mo>′</mo>"
        if not below and not above:
            return node
        names = ("munder", "mover", "munderover") if node.kind == "big" else (
            "msub", "msup", "msubsup")  # fmt: skip
        name = names[2] if below and above else names[0] if below else names[1]
        return Node(f"<{name}>{node.markup}{below}{above}</{name}>", node.kind)

    def _atom(self, before: list[Node]) -> Node:
        token = self._next()
        name = token[1:] if token.startswith("\\") else token
        if token == "{":
            self.place -= 1
            return Node(self._group())
        if token.isdigit():
            return Node(f"<mn>{token}</mn>")
        if token.isalpha() and len(token) == 1:
            return Node(f"<mi>{token}</mi>")
        for reader in (self._symbol, self._command):
            found = reader(token, name, before)
            if found is not None:
                return found
        raise self._unknown(token)

    def _symbol(self, token: str, name: str, before: list[Node]) -> Node | None:
        if name in RELATIONS:
            return Node(f"<mo>{RELATIONS[name]}</mo>", "rel")
        if name in _BINARY or name == "neg":
            first = not before or before[-1].kind in {"open", "rel", "bin", "comma"}
            if first or name == "neg":
                sign = _BINARY.get(name, "¬")
                return Node(f'<mo form="prefix">{sign}</mo>', "bin")
            return Node(f'<mo form="infix">{_BINARY[name]}</mo>', "bin")
        if name in _OPEN and token != "{":
            return Node(_fence(_OPEN[name], "prefix", "false"), "open")
        if name in _CLOSE and token != "}":
            return Node(_fence(_CLOSE[name], "postfix", "false"), "close")
        if token == ",":
            return Node('<mo separator="true">,</mo>', "comma")
        if token in {"/", "|", "!", "."}:
            return Node(f'<mo lspace="0" rspace="0" stretchy="false">{token}</mo>')
        if not token.startswith("\\"):
            return None
        if name in IDENTIFIERS:
            return Node(f"<mi>{IDENTIFIERS[name]}</mi>")
        if name in UPRIGHT:
            return Node(f'<mi mathvariant="normal">{UPRIGHT[name]}</mi>')
        if name in _FUNCTIONS:
            return Node(f"<mi>{name}</mi>", "fun")
        if name in _LIMITS and self._peek() != "_":
            return Node(f"<mi>{name}</mi>", "fun")
        if name in _LIMITS:
            return Node(f'<mo lspace="0" rspace="0" movablelimits="true">{name}</mo>', "big")
        if name in _BIG:
            return Node(f'<mo lspace="0" rspace="0">{_BIG[name]}</mo>', "big")
        if name in _SPACES:
            return Node(f'<mspace width="{_SPACES[name]}"/>', "space")
        if name == "prime":
            return Node("<mo>′</mo>")
        if name == "top":
            return Node('<mo lspace="0" rspace="0">⊤</mo>')
        if name == "dots":
            return Node('<mo lspace="0" rspace="0">…</mo>')
        return None

    def _command(self, token: str, name: str, before: list[Node]) -> Node | None:
        if name == "frac":
            return Node(f"<mfrac>{self._group()}{self._group()}</mfrac>")
        if name == "sqrt":
            return Node(f"<msqrt>{self._group()}</msqrt>")
        if name in _ACCENTS:
            mark = f'<mo stretchy="false">{_ACCENTS[name]}</mo>'
            return Node(f'<mover accent="true">{self._group()}{mark}</mover>')
        if name in {"bar", "overline"}:  # not every font has the sign, so it is a border
            return Node(f'<mrow class="bar">{self._group()}</mrow>')
        if name in _WIDE:
            mark = f'<mo stretchy="true">{_WIDE[name]}</mo>'
            return Node(f'<mover accent="true">{self._group()}{mark}</mover>')
        if name in {"mathrm", "operatorname"}:
            word = self._text()
            plain = ' mathvariant="normal"' if len(word) == 1 else ""
            return Node(f"<mi{plain}>{escape(word)}</mi>", "fun" if name[0] == "o" else "ord")
        if name in {"mathbf", "boldsymbol"}:
            letter = self._text()
            tag = "mn" if letter.isdigit() else "mi"
            return Node(f"<{tag}>{_bold(letter)}</{tag}>")
        if name == "text":
            return Node(f"<mtext>{escape(self._text()).replace(' ', chr(160))}</mtext>")
        if name in {"mathbb", "mathcal"}:
            letter = self._text()
            table = _DOUBLE if name == "mathbb" else _SCRIPT
            return Node(f'<mi mathvariant="normal">{table.get(letter, letter)}</mi>')
        if name == "left":
            return self._fenced()
        if name == "begin":
            return self._environment()
        return None

    def _fenced(self) -> Node:
        start = self._next()
        inside = self._row((r"\right",))
        if self._next() != r"\right":
            raise self._unknown(r"\left")
        end = self._next()
        left = _fence(_OPEN.get(start.lstrip("\\"), start), "prefix", "true")
        right = _fence(_CLOSE.get(end.lstrip("\\"), end), "postfix", "true")
        return Node(f"<mrow>{left}{inside}{right}</mrow>")

    def _environment(self) -> Node:
        kind = self._text()
        rows: list[list[str]] = [[]]
        while True:
            rows[-1].append(self._row(("&", r"\\", r"\end")))
            mark = self._next()
            if mark == r"\\":
                rows.append([])
            elif mark == r"\end":
                break
        if self._text() != kind or kind not in {"cases", "aligned"}:
            raise self._unknown(rf"\begin{{{kind}}}")
        body = "".join(
            "<mtr>" + "".join(f"<mtd>{cell}</mtd>" for cell in row) + "</mtr>" for row in rows
        )
        if kind == "cases":
            table = f'<mtable class="cases">{body}</mtable>'
            return Node(f"<mrow>{_fence('{', 'prefix', 'true')}{table}</mrow>")
        return Node(f'<mtable class="aligned" displaystyle="true">{body}</mtable>')


def _bold(letter: str) -> str:
    r"""Return the bold letter of a letter, a digit or a Greek command: MathML Core has no style."""
    sign = IDENTIFIERS.get(letter[1:]) or UPRIGHT.get(letter[1:]) or letter
    for first, last, bold in _BOLD:
        if first <= sign <= last:
            return chr(bold + ord(sign) - ord(first))
    return _BOLD_VARIANTS.get(sign, sign)


def _fence(sign: str, form: str, stretchy: str) -> str:
    if sign in _PLAIN_FENCES:  # what every browser's dictionary knows the rest of
        return (
            "<mo>" + sign + "</mo>" if stretchy == "true" else f'<mo stretchy="false">{sign}</mo>'
        )
    return f'<mo form="{form}" fence="true" stretchy="{stretchy}" lspace="0" rspace="0">{sign}</mo>'


def _joined(nodes: list[Node]) -> str:
    """Set nodes side by side, with the thin spaces that TeX puts around functions and sums."""
    out = ""
    for place, node in enumerate(nodes):
        before = nodes[place - 1] if place else None
        if before is not None and _apart(before, node):
            out += '<mspace width=".17em"/>'
        out += node.markup
    return out


def _apart(before: Node, node: Node) -> bool:
    if node.kind in {"fun", "big"}:
        return before.kind in {"ord", "close", "fun"} or (before.kind, node.kind) == ("big", "fun")
    if before.kind == "fun":
        return node.kind == "ord" and not node.markup.startswith("<mrow><mo")
    return before.kind == "big" and node.kind in {"ord", "open"} and "max" not in before.markup
