"""Fill the tables of the README from the rows in ``results/``: ``python docs/readme.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from directives import DIRECTIVES, ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- (\w+):(\S+) -->\n.*?<!-- /\1 -->", re.DOTALL)


def filled(text: str) -> str:
    """Put between ``<!-- directive:argument -->`` and ``<!-- /directive -->`` what the directive returns."""
    return BLOCK.sub(lambda match: f"<!-- {match[1]}:{match[2]} -->\n{_filled(match)}\n<!-- /{match[1]} -->", text)


def _filled(match: re.Match[str]) -> str:
    return DIRECTIVES[match[1]](match[2])


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
