"""Row: one line of ``rows.jsonl``, the product from which all tables and figures are computed.

This file is the schema. Unknown keys are refused, so a file of a later schema is never half read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from math import isfinite, nan
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

from mrbench.core.method import Kind

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
        ``classical``, ``learned``, ``learned + optimised`` where an optimisation for the case starts from a network, or
        ``external`` where predictions were made elsewhere and scored from files.
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
    device_memory_mib : float or None
        Peak of what PyTorch allocated on the device in ``predict``, weights with it, in MiB. None on the CPU.
    contended : bool
        Whether other work shared the machine, so that ``seconds`` is an upper bound.
    device : str
    threads : int
        Threads that the method was lent; 0 where the prediction was made elsewhere.
    threads_used : int or None
        Threads that computed in ``predict``, as the kernel counted them.
    outside : bool
        Whether a failure comes from the data or the machine and not from the method; the next run tries it again.
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
    device_memory_mib: float | None = None
    contended: bool = False
    threads_used: int | None = None
    outside: bool = False
    prediction: str | None = None
    schema: int = SCHEMA

    @property
    def failed(self) -> bool:
        """Whether it counts as a failure: neither scored nor skipped."""
        return self.status not in ("ok", "skipped")

    def to_json(self) -> str:
        """One line, without the newline. NaN is written as null: JSON has none.

        What rows of older versions do not have is left out where it is unknown, so that they stay the bytes they are.
        """
        record: dict[str, Any] = {name: getattr(self, name) for name in _NAMES}
        for name in ("memory_mib", "device_memory_mib", "threads_used"):
            if record[name] is None:
                del record[name]
        if not self.outside:
            del record["outside"]
        record["metrics"] = {k: v if isfinite(v) else None for k, v in self.metrics.items()}
        return json.dumps(record, allow_nan=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> Row:
        """Read one line.

        Raises
        ------
        ValueError
            If it is not a row of this schema: a field is missing, unknown, or not of its type.
        """
        values = msgspec.structs.asdict(_decoder().decode(line))
        values["details"] = _checked(values["details"])
        if None in values["metrics"].values():
            values["metrics"] = {name: nan if value is None else value for name, value in values["metrics"].items()}
        row = object.__new__(cls)
        row.__dict__.update(values)  # a frozen dataclass sets its fields one by one, in twice the time
        return row


class RowReader:
    """Reads blocks of lines that are looked at one after another, a million of them in seconds.

    Its rows have the attributes of `Row` and nothing else of it. A metric that is NaN is None. Equal details are one
    mapping; beyond `kept` different ones they are decoded again whenever they are asked for, as they would fill the
    memory.
    """

    kept = 10_000

    def __init__(self) -> None:
        self._known: dict[bytes, Mapping[str, Any]] = {}

    def __call__(self, lines: bytes) -> list[Row]:
        """Read a block of lines; raises ValueError as `Row.from_json` does, and does not say of which."""
        records = _decoder().decode_lines(lines)
        known = self._known
        for record in records:
            raw = bytes(record.details)
            record.details = known[raw] if raw in known else self._read(raw)
        return records

    def _read(self, raw: bytes) -> Mapping[str, Any]:
        details = _checked(raw)
        if len(self._known) >= self.kept:
            return details if len(raw) < _SHORT else _Undecoded(raw)
        return self._known.setdefault(raw, details)


def distinct(details: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each object once: of a million rows a handful, as `RowReader` lets equal ones share one."""
    every = list(details)
    return list(dict(zip(map(id, every), every, strict=True)).values())


_SHORT = 64
"""Bytes of JSON that take no more memory decoded."""


class _Undecoded(Mapping[str, object]):
    """Details as the JSON that they were read from."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> object:
        return _details().decode(self._raw)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_details().decode(self._raw))

    def __len__(self) -> int:
        return len(_details().decode(self._raw))

    def __repr__(self) -> str:
        return repr(_details().decode(self._raw))


_NAMES = tuple(f.name for f in fields(Row))

_Types = frozenset[type]
_NUMBER, _NUMBERS, _TEXT = _Types({float, int}), _Types({float, int, type(None)}), _Types({str})
_NOTHING = _Types()

_DETAILS: Mapping[str, tuple[_Types, _Types]] = {
    "notes": (_Types({dict}), _TEXT),
    "note": (_TEXT, _NOTHING),
    "megavoxels": (_NUMBER, _NOTHING),
    "dice_by_structure": (_Types({dict}), _NUMBERS),
    "labelled": (_Types({bool}), _NOTHING),
    "frames": (_NUMBER, _NOTHING),
    "slices": (_NUMBER, _NOTHING),
    "true_acceleration": (_NUMBER, _NOTHING),
    "acquisition": (_TEXT, _NOTHING),
    "scored": (_Types({bool}), _NOTHING),
    "nearest_ncc": (_Types({list}), _NUMBERS),
    "nearest_ncc_real": (_Types({list}), _NUMBERS),
    "pair_ms_ssim_real": (_NUMBER, _NOTHING),
    "other_people": (_Types({dict}), _NUMBER),
}
"""Types of the details that tables and figures read, and of what is in them; any others are a task's own."""


def _checked(raw: bytes | msgspec.Raw) -> Mapping[str, Any]:
    """Details from JSON; raises ValueError where one is of another type than its readers expect."""
    details: Mapping[str, Any] = _details().decode(raw)
    for name in details.keys() & _DETAILS.keys():
        value, (kinds, inner) = details[name], _DETAILS[name]
        members = value.values() if type(value) is dict else value if type(value) is list else ()
        if type(value) not in kinds or not inner.issuperset(map(type, members)):
            raise ValueError(f"its details hold {name} of another type")
    if details.get("megavoxels", 1) <= 0:
        raise ValueError("its details hold megavoxels that are not positive")
    return details


@lru_cache
def _decoder() -> msgspec.json.Decoder[Any]:
    """A reader that checks the type of every field, from the fields of `Row` themselves."""
    amount = Annotated[float, msgspec.Meta(ge=0)]
    types = get_type_hints(Row) | {
        "kind": Kind,
        "metrics": dict[str, float | None],
        "details": msgspec.Raw,
        "schema": Literal[SCHEMA],
        "threads": Annotated[int, msgspec.Meta(ge=0)],
    }
    types |= dict.fromkeys(("task", "method", "case"), Annotated[str, msgspec.Meta(min_length=1)])
    types |= {name: amount | None for name in types if name.endswith(("seconds", "memory_mib"))}
    defaults = {"metrics": {}, "details": msgspec.Raw(b"{}")}
    members = [
        (f.name, types[f.name])
        if f.default is MISSING and f.default_factory is MISSING
        else (f.name, types[f.name], defaults.get(f.name, f.default))
        for f in fields(Row)
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Record", members, forbid_unknown_fields=True, gc=False))


@lru_cache
def _details() -> msgspec.json.Decoder[dict[str, Any]]:
    return msgspec.json.Decoder(dict[str, Any])
