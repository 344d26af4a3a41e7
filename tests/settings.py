"""Short ways to a setting in tests."""

from __future__ import annotations

from typing import Any

from mrbench.core.setting import Setting


def setting_of(task: Any, dataset: Any, track: str | None = None, split: str = "test") -> Setting:
    return Setting.of(task, dataset, track, split)
