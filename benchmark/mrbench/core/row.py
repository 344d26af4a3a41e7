"""Row: one line of ``rows.jsonl``, the product from which all tables and figures are computed.

This file is the schema. Unknown keys are refused, so a file of a later schema is never half read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

SCHEMA = 1

Status = Literal["ok", "error", "timeout", "out-of-memory", "invalid", "skipped"]
"""``ok``: scored. ``error``: the method raised. ``timeout``: it was killed at the limit. ``out-of-memory``.
``invalid``: its prediction cannot be scored. ``skipped``: it cannot run here; ``message`` says why."""


@dataclass(frozen=True)
class Row:
    """One method on one case.

    Attributes
    ----------
    key : str
        Hash of all that the scores depend on; a run computes the keys that the file lacks.
    task, track, dataset, split : str
    simulated : bool
        Whether the data are; shown wherever the numbers are.
    fingerprint : str
        Of the dataset: preparation, splits and source files.
    protocol : str
        Hash of the scoring settings.
    method : str
        ``name[param=value]``.
    kind : str
        ``classical`` or ``learned``.
    source : str
        Hash of the method's code.
    weights : str or None
        sha256 of the weights.
    seed : int
    case : str
    subjects : list of str
        The unit that statistics resample.
    status : Status
    message : str
        Reason of a failure, or a warning about an ``ok`` prediction.
    metrics : mapping of str to float
        Empty unless ``ok``.
    details : mapping
        Finer numbers for figures (``dice_by_structure``).
    seconds : float or None
        Wall time of ``predict`` alone: loading, set-up and scoring are not in it.
    cpu_seconds : float or None
        CPU time of the same, all threads, user and system.
    setup_seconds : float or None
        Imports, weights and warm-up of the process that ran it.
    other_load_cores : float or None
        Mean number of cores that other processes kept busy meanwhile.
    memory_mib : float or None
        Peak resident memory of ``predict`` beyond what its process held before, in MiB; tools in processes of
        their own and GPU memory are not in it. None in rows of older versions, and where the system cannot tell.
    contended : bool
        Whether other work shared the machine, so that ``seconds`` is an upper bound.
    device : str
    threads : int
    prediction : str or None
        Name of the cached prediction.
    run : str
        Id of the run in ``run.json`` that made this row.
    schema : int
    """

    key: str
    task: str
    track: str
    dataset: str
    simulated: bool
    fingerprint: str
    split: str
    protocol: str
    method: str
    kind: str
    source: str
    weights: str | None
    seed: int
    case: str
    subjects: list[str]
    status: Status
    run: str
    device: str
    threads: int
    message: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    cpu_seconds: float | None = None
    setup_seconds: float | None = None
    other_load_cores: float | None = None
    memory_mib: float | None = None
    contended: bool = False
    prediction: str | None = None
    schema: int = SCHEMA

    @property
    def failed(self) -> bool:
        """Whether it counts as a failure: neither scored nor skipped."""
        return self.status not in ("ok", "skipped")

    def to_json(self) -> str:
        """One line, without the newline. NaN is written as null: JSON has none.

        An unknown ``memory_mib`` is left out, so that rows from before it was measured stay the bytes they are.
        """
        record = asdict(self)
        if self.memory_mib is None:
            del record["memory_mib"]
        record["metrics"] = {k: v if v == v and abs(v) != float("inf") else None for k, v in self.metrics.items()}
        return json.dumps(record, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Row:
        """Read one line.

        Raises
        ------
        ValueError
            If it is not a row of this schema.
        """
        record = json.loads(line)
        known = {f.name for f in fields(cls)}
        if not isinstance(record, dict) or record.get("schema") != SCHEMA or set(record) - known:
            raise ValueError("not a row of this schema")
        try:
            metrics = {k: float("nan") if v is None else float(v) for k, v in record.pop("metrics").items()}
            return cls(**record, metrics=metrics)
        except (AttributeError, KeyError, TypeError):
            raise ValueError("not a whole row") from None
