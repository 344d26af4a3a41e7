"""How registration is scored: our way, and the protocols of the literature with their pairs, labels and definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mrbench.core.errors import RequestError
from mrbench.core.track import Track, tracks_by_name


@dataclass(frozen=True)
class Rules:
    """What of scoring differs between protocols.

    Attributes
    ----------
    family : {"mrbench", "learn2reg", "lumir", "transmorph"}
        Whose definitions are used where a metric has several.
    labels : tuple of int
        Each a structure of its own; empty: the dataset's structures.
    groups : mapping of str to labels, as pairs
        Structures whose Dice is the mean of that of their labels (TransMorph's left and right).
    pairs : tuple of (moving, fixed)
        Beginnings or ends of subject ids; empty: the dataset's pairs, or its ring.
    contrasts : (moving, fixed), optional
        None: T1 of both, or the only image that there is.
    source : str
        The evaluator that scores are equal to.
    """

    family: Literal["mrbench", "learn2reg", "lumir", "transmorph"] = "mrbench"
    labels: tuple[int, ...] = ()
    groups: tuple[tuple[str, tuple[int, ...]], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    contrasts: tuple[str, str] | None = None
    source: str = ""

    @property
    def surface_in_voxels(self) -> bool:
        """Whether Learn2Reg's HD95 and SDlogJ stand beside ours."""
        return self.family in ("learn2reg", "lumir")

    def structures(self, labels: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The structures that are scored, by name, of a dataset with these structures of its own."""
        if self.groups:
            return dict(self.groups)
        if not self.labels:
            return dict(labels)
        names = {group[0]: name for name, group in labels.items() if len(group) == 1}
        return {names.get(label, f"label {label}"): (label,) for label in self.labels}

    def pairs_among(self, subjects: Sequence[str], dataset: str) -> tuple[tuple[str, str], ...]:
        """The protocol's pairs by ids of a dataset; empty where none of its people are there.

        Raises
        ------
        RequestError
            If some are there and some are not: a part of the pairs is another benchmark.
        """
        known = {subject.rpartition("_")[2]: subject for subject in subjects}
        named = dict.fromkeys(name for pair in self.pairs for name in pair)
        absent = [name for name in named if name not in known]
        if len(absent) == len(named):
            return ()
        if absent:
            raise RequestError(
                f"{dataset} lacks {len(absent)} of the {len(named)} subjects of this protocol's pairs, such as "
                f"{absent[0]}; unpack them all, or choose the track {INTER_SUBJECT}."
            )
        return tuple((known[moving], known[fixed]) for moving, fixed in self.pairs)


OUR_RULES = Rules()

INTER_SUBJECT = "inter-subject"

OASIS_LABELS = tuple(range(1, 36))

LUMIR_LABELS = (
    *(0, 4, 11, 23, *range(30, 33), *range(35, 42), 44, 45, *range(47, 53), *range(55, 63), *range(71, 74), 75, 76),
    *(*range(100, 110), *range(112, 126), 128, 129, *range(132, 158), *range(160, 188), *range(190, 208)),
)
"""As its configuration lists them, the background among them."""

TRANSMORPH_GROUPS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("brain stem", (16,)),
    ("thalamus", (10, 49)),
    ("cerebellar cortex", (8, 47)),
    ("cerebral white matter", (2, 41)),
    ("cerebellar white matter", (7, 46)),
    ("putamen", (12, 51)),
    ("ventral DC", (28, 60)),
    ("pallidum", (13, 52)),
    ("caudate", (11, 50)),
    ("lateral ventricle", (4, 43)),
    ("hippocampus", (17, 53)),
    ("3rd ventricle", (14,)),
    ("4th ventricle", (15,)),
    ("amygdala", (18, 54)),
    ("cerebral cortex", (3, 42)),
    ("CSF", (24,)),
    ("choroid plexus", (31, 63)),
)
"""FreeSurfer's numbers of the 30 labels, and the 17 structures that the table of IXI is a mean over."""


def _chain(first: int, last: int) -> tuple[tuple[str, str], ...]:
    """Each subject moved onto the one before it: ``(moving, fixed)``."""
    return tuple((f"{number + 1:04d}", f"{number:04d}") for number in range(first, last))


_L2R = "evaluation.py of MDL-UzL/L2R at 8847509"

TRACKS: Mapping[str, Track[object]] = tracks_by_name(
    Track[object](INTER_SUBJECT, "each brain of the split onto the next, T1 to T1", {"pairs": "ring"}),
    Track[object](
        "t1-to-t2",
        "T1 of each brain of the split onto T2 of the next: other ground for what learned, or compares, T1 alone",
        Rules(contrasts=("T1", "T2")),
    ),
    Track[object](
        "oasis-l2r",
        "Learn2Reg 2021 OASIS: 19 validation pairs, 35 labels, its evaluator's scores beside ours",
        Rules("learn2reg", OASIS_LABELS, pairs=_chain(395, 414), source=_L2R),
    ),
    Track[object](
        "l2r-hippocampus",
        "Learn2Reg hippocampus: 60 validation pairs of its release, 2 labels, its evaluator's scores beside ours",
        Rules("learn2reg", (1, 2), pairs=tuple((f"{461 - n:04d}", f"{n:04d}") for n in range(201, 261)), source=_L2R),
    ),
    Track[object](
        "lumir",
        "LUMIR 2024: 29 validation pairs, labels of its configuration, background among them, its NDV",
        Rules(
            "lumir",
            LUMIR_LABELS,
            pairs=tuple((f"{n - 1:04d}", f"{n:04d}") for n in range(3455, 3484)),
            source="L2R_LUMIR_Eval/evaluation.py of JHU-MedImage-Reg/LUMIR_L2R at 9b88e63",
        ),
    ),
    Track[object](
        "transmorph-ixi",
        "TransMorph's IXI: atlas to patient, 30 labels warped linearly, Dice of 17 structures, folds of the volume",
        Rules(
            "transmorph",
            groups=TRANSMORPH_GROUPS,
            source="IXI of junyuchen245/TransMorph_Transformer_for_Medical_Image_Registration at 6357a1d",
        ),
    ),
)
