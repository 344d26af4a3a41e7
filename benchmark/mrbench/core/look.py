"""What a task looks for in a prediction beyond its scores: units, axes, signs."""

from __future__ import annotations

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


def cannot_tell(look: Look, reason: str) -> Look:
    """The same look where it could not be made, for a reason in words."""
    return replace(look, asked=f"{look.name[:1].upper()}{look.name[1:]} cannot be told.", unable=reason)
