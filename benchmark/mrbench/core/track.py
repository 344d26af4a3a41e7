"""Track: one standardized setting of a task, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True)
class Track(Generic[S]):
    """The frozen settings that a name stands for; all of them enter the keys of predictions.

    Attributes
    ----------
    name : str
    description : str
        One line for lists.
    settings : dataclass, or JSON values
        What the task makes a case by.
    """

    name: str
    description: str
    settings: S

    @property
    def facts(self) -> Mapping[str, Any]:
        """The settings as JSON values."""
        settings: Any = self.settings
        return asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else settings


def tracks_by_name(*tracks: Track[S]) -> Mapping[str, Track[S]]:
    """Tracks in the order given, by name."""
    return {track.name: track for track in tracks}
