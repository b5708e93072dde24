"""What need not be written: noughts behind a point in drawings, blanks in a style sheet."""

from __future__ import annotations

import re
from collections import Counter

_ANCHOR, _JOIN = ' text-anchor="middle"', ' stroke-linejoin="round"'


def compact_svg(svg: str) -> str:
    """Return a drawing that says once what all its parts inherit, without noughts behind points.

    Args:
        svg: the source; texts between its tags stay as they are.
    """
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d)\.0(?!\d)", r"\1", tag[0]), svg)
    shared = [word for word, tag in ((_ANCHOR, "<text"), (_JOIN, "")) if _is_said(svg, word, tag)]
    sizes = Counter(re.findall(r' font-size="[^"]*"', svg))
    if sizes and svg.count("<tspan") == sizes.total():
        shared.append(sizes.most_common(1)[0][0])
    for word in shared:
        svg = svg.replace(word, "")
    return svg.replace("<svg", "<svg" + "".join(shared), 1)


def _is_said(svg: str, word: str, tag: str) -> bool:
    """Whether every element of a kind says something; of no kind, whether any does."""
    return 0 < svg.count(word) and (not tag or svg.count(word) == svg.count(tag))


def compact_css(css: str) -> str:
    """Return a style sheet on few lines.

    Args:
        css: without comments; strings in it hold no brackets.
    """
    return re.sub(r"\s*([{};,])\s*", r"\1", css).replace(";}", "}").replace("}", "}\n")
