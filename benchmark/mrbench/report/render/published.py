"""A board's means beside the published figures of its protocol, as a GitHub table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mrbench.report.columns import Look
from mrbench.report.published import beside

if TYPE_CHECKING:
    from mrbench.report.report import Report

NAMES = ("published",)
FILE = None
LOOK: tuple[str, ...] = ()


def render(report: Report, look: Look) -> str:
    """Return title, table and the sentence that these are not our measurements."""
    return beside(report).markdown
