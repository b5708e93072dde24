"""Writes pages to files: each appears whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from symcalc.report import html, markdown, tex, typst
from symcalc.report.blocks import Figure, Page
from symcalc.report.compact import compact_svg
from symcalc.report.errors import ReportError, ReportWriteError

FORMATS = ("html", "md", "tex", "pdf")
USUAL = ("html", "md")

# What a drawing needs to stand alone: the colours that a page's style would give it.
_COLOURS = {
    "ink": ("#1f1d1a", "#e6e2d9"), "quiet": ("#625c52", "#a39d91"),
    "grid": ("#e4dfd3", "#303134"), "paper": ("#fffefb", "#0d1117"),
    "curve-1": ("#1a5fa8", "#7db4ee"), "curve-2": ("#b0421a", "#ef9a72"),
    "curve-3": ("#35752f", "#8cc983"), "curve-4": ("#7a4a9c", "#c79be4"),
}  # fmt: skip


def write(
    page: Page, out: str | os.PathLike[str], formats: Iterable[str] = USUAL
) -> tuple[Path, ...]:
    """Write a page in the formats asked for.

    Args:
        page: what `build_page` assembled; its name names the files.
        out: the directory, made if it is not there.
        formats: some of "html", "md", "tex" and "pdf". Markdown brings its drawings as SVG files of
            their own; the LaTeX has none.

    Returns:
        The paths of the pages written, in the order of `formats`.

    Raises:
        ReportError: an unknown format, none at all, or a name that is no file name.
        MissingTypstError: a PDF, and the `typst` package is not installed.
        ReportWriteError: the directory or a file cannot be written.
    """
    wanted = known_formats(formats)
    if not re.fullmatch(r"\w[\w.-]*", page.name):
        raise ReportError(f"name: expected a name that can name a file, got {page.name!r}")
    folder = Path(out)
    files: dict[str, bytes] = {}
    for name in wanted:
        files |= {file: _encoded(made) for file, made in _WRITERS[name](page).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _replace(folder / name, content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReportWriteError(
            f"out: expected a directory that can be written, got {str(folder)!r}: {reason}"
        ) from error
    return tuple(folder / f"{page.name}.{name}" for name in wanted)


def known_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """Return the formats asked for, each once; ask before anything slow is done.

    Raises:
        ReportError: an unknown one, or none at all.
        MissingTypstError: a PDF, and the `typst` package is not installed.
    """
    wanted = (formats,) if isinstance(formats, str) else tuple(dict.fromkeys(formats))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        got = ", ".join(map(repr, unknown)) or "none"
        raise ReportError(f"formats: expected some of {', '.join(map(repr, FORMATS))}, got {got}")
    if "pdf" in wanted:
        typst.require()
    return wanted


def _html(page: Page) -> dict[str, str]:
    return {f"{page.name}.html": html.render(page)}


def _markdown(page: Page) -> dict[str, str]:
    drawings = [b for s in page.sections for b in s.blocks if isinstance(b, Figure)]
    places = {d.svg: f"{page.name}-{n}.svg" for n, d in enumerate(drawings, 1)}
    files = {place: _alone(svg) for svg, place in places.items()}
    return files | {f"{page.name}.md": markdown.render(page, places)}


def _alone(svg: str) -> str:
    """Give a drawing the colours that the page would."""
    svg = compact_svg(svg)
    end = svg.index(">", svg.index("<svg")) + 1
    used = [name for name in _COLOURS if f"var(--{name})" in svg]
    light, dark = (
        ";".join(f"--{name}:{_COLOURS[name][shade]}" for name in used) for shade in (0, 1)
    )
    rules = f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    rules += "text{font-family:Georgia,serif!important}"
    return f"{svg[:end]}<style>{rules}</style>{svg[end:]}\n"


_WRITERS: dict[str, Callable[[Page], Mapping[str, str | bytes]]] = {
    "html": _html,
    "md": _markdown,
    "tex": lambda page: {f"{page.name}.tex": tex.render(page)},
    "pdf": lambda page: {f"{page.name}.pdf": typst.pdf(page)},
}


def _encoded(made: str | bytes) -> bytes:
    return made.encode("utf-8") if isinstance(made, str) else made


def _replace(path: Path, content: bytes) -> None:
    """Write beside the file, then take its place in one move."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
