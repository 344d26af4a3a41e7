"""How the numbers of stored fields are to be read: as their format defines, as the user says, or as fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrbench.core.errors import RequestError, unknown_name
from mrbench.io.predictions.fields import StoredField
from mrbench.metrics.conventions import CONVENTIONS, GAIN, OURS, Convention, Fits, Pair, fits, mean

AUTO = "auto"


@dataclass(frozen=True)
class Reading:
    """How predictions of a folder are read.

    Attributes
    ----------
    convention : Convention or None
        None: as the format defines, and what is no field as it is.
    advice : str
        What fits better; empty where nothing does.
    """

    convention: Convention | None = None
    advice: str = ""

    @property
    def name(self) -> str:
        return "" if self.convention is None else str(self.convention)

    def apply(self, stored: StoredField | np.ndarray, spacing: Sequence[float]) -> np.ndarray:
        """The prediction in mrbench's own convention."""
        if not isinstance(stored, StoredField):
            return stored
        return stored.voxels if self.convention is None else self.convention.to_voxels(stored.components, spacing)


def reading_of(convention: str | None, trials: Sequence[tuple[StoredField, Pair]]) -> Reading:
    """Decide how to read fields, trying all conventions on the images.

    Parameters
    ----------
    convention : str, optional
        Name of one, ``auto``, or None for what the format defines.
    trials : sequence of StoredField and Pair
        A few cases.

    Raises
    ------
    RequestError
        If the name is unknown, the predictions are no fields, or ``auto`` finds that several fit alike.
    """
    named = untried(convention) if convention != AUTO else Reading()
    if not trials:
        if convention is not None:
            raise RequestError("--convention is of displacement fields, and there is none that can be read here.")
        return named
    tried = mean([fits(stored.components, pair) for stored, pair in trials])
    if convention == AUTO:
        return Reading(_only(tried))
    chosen = named.convention
    if chosen is not None:
        better = tried.best if tried.beats(tried.best, chosen) else None
        labels = tried.by_name[str(chosen)].labels
    else:
        defined = mean([fits(stored.voxels, pair) for stored, pair in trials]).by_name[str(OURS)]
        whole = Fits(tried.still, {**tried.by_name, "as defined": defined})
        better = tried.best if whole.beats_named(str(tried.best), "as defined") else None
        labels = defined.labels
    if better is None:
        return Reading(chosen)
    share = f"{tried.by_name[str(better)].labels:.2f} of sampled labels agree instead of {labels:.2f}"
    return Reading(chosen, f"the field fits better read {better.changes}: {share}; if so, add --convention {better}.")


def untried(convention: str | None) -> Reading:
    """Read as the name says, or without one as the format defines, where no labels tell whether that fits.

    Raises
    ------
    RequestError
        If the name is unknown.
    """
    if convention is not None and convention not in CONVENTIONS:
        raise unknown_name("convention", convention, [AUTO, *CONVENTIONS])
    return Reading(CONVENTIONS[convention] if convention else None)


def _only(tried: Fits) -> Convention:
    """The one convention that fits.

    Raises
    ------
    RequestError
        If none brings the images together, or several do alike.
    """
    best = tried.best
    if tried.gain(best) <= GAIN:
        raise RequestError(
            f"--convention auto: in no convention do the fields bring {GAIN:.0%} more labels together than no motion; "
            "check that they are of these cases."
        )
    if not tried.clear:
        order = sorted(tried.by_name, key=lambda name: -tried.by_name[name].labels)
        alike = ", ".join(f"{name} ({tried.by_name[name].labels:.2f})" for name in order[:3])
        raise RequestError(f"--convention auto: several fit about alike, {alike} of labels agree; name one of them.")
    return best
