"""What the numbers of several tasks are: unit, direction, bounds and digits, said once."""

from __future__ import annotations

from math import inf

from mrbench.core.metric import Scale

DECIBELS = Scale("dB", True, (-inf, inf), 2)
SIMILARITY = Scale("", True, (-1, 1), 4)
ERROR = Scale("", False, (0, inf), 4)
DISTANCE = Scale("mm", False, (0, inf), 2)
OVERLAP = Scale("", True, (0, 1), 4)
SHARE = Scale("", True, (0, 1), 3)
BITS = Scale("bits", True, (0, inf), 3)
