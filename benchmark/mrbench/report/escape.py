"""Text that comes from outside, made harmless for each medium: one function a medium."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

LAST_LATIN = "\u017f"
"""Up to here pdfLaTeX knows the letters of UTF-8."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"$|$",
    "<": r"$<$",
    ">": r"$>$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "°": r"$^\circ$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "σ": r"$\sigma$",
    "λ": r"$\lambda$",
    "\u00a0": "~",
    '"': "''",
}


def plain(text: object) -> str:
    """One line without control characters: no sequence moves a cursor, hides or reorders what is printed.

    Categories Cc, Cf (bidirectional overrides, zero-width marks), Cs (lone surrogates) become ``�``;
    line breaks and tabs become spaces.
    """
    spaced = re.sub(r"[\t\r\n\v\f\u0085\u2028\u2029]+", " ", str(text))
    if spaced.isprintable():
        return spaced
    return "".join("�" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character for character in spaced)


def terminal(text: object, style: str = "") -> Text:
    """For rich: text that is no markup, in which no control sequence or emoji code does anything.

    A string would not do: rich's own escaping misses brackets that are closed on another line.
    """
    from rich.text import Text

    return Text("\n".join(map(plain, str(text).split("\n"))), style=style)


def markdown(text: object) -> str:
    """For a cell or a paragraph of GitHub's Markdown: no markup, no HTML, no link, no new cell."""
    safe = re.sub(r"([\\`*_|<])", r"\\\1", plain(text))
    return safe.replace("](", "]\\(")


def markdown_code(text: object) -> str:
    """A code span that holds any text, also in a table."""
    safe = plain(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", safe)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{pad}{safe}{pad}{fence}"


def latex(text: object) -> str:
    """For LaTeX text mode: letters of every script as they are, since names must stay apart (see `beyond_latin`);
    another sign that plain LaTeX lacks becomes its base character or ``?``.
    """
    out = []
    for character in plain(text):
        if character in _LATEX:
            out.append(_LATEX[character])
        elif character.isascii() or unicodedata.category(character)[0] in "LM":
            out.append(character)
        else:
            base = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
            out.append(base or "?")
    return "".join(out)


def beyond_latin(text: str) -> bool:
    """Whether text has letters that LaTeX sets by a font of its script alone, which pdfLaTeX does not load."""
    return any(
        letter > LAST_LATIN and unicodedata.category(letter)[0] in "LM" for letter in text if letter not in _LATEX
    )


def csv(value: object) -> object:
    """For a CSV cell: numbers stay numbers; text that a spreadsheet would run as a formula gets an apostrophe."""
    if not isinstance(value, str):
        return value
    safe = plain(value)
    return f"'{safe}" if safe[:1] in ("=", "+", "-", "@") else safe


def file_name(text: object, *, longest: int = 80) -> str:
    """A name that is safe in any folder: letters, digits, ``-``, ``_``, ``.``; never hidden, never too long."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", str(text)).strip("._")
    return safe[:longest] or "_"
