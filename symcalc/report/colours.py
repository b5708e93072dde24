"""Light colours for Python source: keywords, strings and comments, nothing more."""

from __future__ import annotations

import io
import keyword
import tokenize
from html import escape

_TAGS = {tokenize.STRING: "q", tokenize.COMMENT: "i"}  # short, for there are many


def coloured(code: str) -> str:
    """Return source as HTML, keywords in `b`, comments in `i`, strings in `q`; else plain.

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
            tag = _TAGS.get(token.type, "b" if keyword.iskeyword(token.string) else "")
            if not tag:
                continue
            begin = starts[token.start[0] - 1] + token.start[1]
            end = starts[token.end[0] - 1] + token.end[1]
            word = f"<{tag}>{escape(code[begin:end])}</{tag}>"
            out += escape(code[done:begin]) + word
            done = end
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return escape(code)
    return out + escape(code[done:])
