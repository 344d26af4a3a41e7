"""What a task looks for in a prediction beyond its scores: units, axes, signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Look:
    """One thing that a task looked for in one prediction, or could not look for.

    Attributes
    ----------
    name : str
        Few words: ``mirrored axes``.
    asked : str
        What right predictions keep, in one sentence; where it could not be looked for, what is not known.
    warning : str
        What looks mistaken and what to do; empty where nothing does.
    unable : str
        Why it could not be looked for in this case or this prediction; empty where it was.
    """

    name: str
    asked: str
    warning: str = ""
    unable: str = ""


def told_after(looks: Sequence[Look], last: Look) -> Look:
    """A look that means something only where no other one warns: what lies wrongly has no units to speak of."""
    return cannot_tell(last, "what is warned of comes first.") if any(look.warning for look in looks) else last


def cannot_tell(look: Look, reason: str) -> Look:
    """The same look where it could not be made, for a reason in words."""
    return replace(look, asked=f"{look.name[:1].upper()}{look.name[1:]} cannot be told.", warning="", unable=reason)
