"""Protocol: the frozen, hashed settings under which a number was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """Everything about scoring that can change a number: crop, mask, label list, interpolation.

    The same object serves validation in training and scoring in a run. Its `hash` stands under every
    table, and rows of different hashes never share one.

    Attributes
    ----------
    name : str
        For people, for example ``registration/t1``.
    version : int
        Raised by hand when the scoring code changes what a number means.
    settings : mapping
        JSON values only.
    """

    name: str
    version: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "settings": dict(self.settings)}

    @property
    def hash(self) -> str:
        """First 12 hex digits of the sha256 of the canonical JSON."""
        canonical = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]
