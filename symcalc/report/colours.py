"""Light colours for Python source: keywords, strings, comments and numbers, nothing more."""

from __future__ import annotations

import io
import keyword
import tokenize
from html import escape

_KINDS = {tokenize.STRING: "s", tokenize.COMMENT: "c", tokenize.NUMBER: "n"}


def coloured(code: str) -> str:
    """Return source as HTML with spans of class k, s, c and n; plain if it is no Python.

    Args:
        code: Python source.
    """
    lines = code.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    out, done = "", 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            kind = _KINDS.get(token.type, "k" if keyword.iskeyword(token.string) else "")
            if not kind:
                continue
            begin = starts[token.start[0] - 1] + token.start[1]
            end = starts[token.end[0] - 1] + token.end[1]
            word = f'<span class="{kind}">{escape(code[begin:end])}</span>'
            out += escape(code[done:begin]) + word
            done = end
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return escape(code)
    return out + escape(code[done:])
