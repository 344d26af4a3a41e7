"""The rows of a board, as claims ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from mrbench.core.metric import Metric
from mrbench.stats.claims import COST
from mrbench.stats.design import Design
from mrbench.stats.scores import Grid, counted, grid, scores


@dataclass(frozen=True)
class Rows:
    """The rows of one board.

    Attributes
    ----------
    frame : DataFrame
        From `stats.frame`, of one board, data and protocol; perhaps with ``processor``, which timed the row.
    metrics : mapping of str to Metric
    limited : bool
        Whether only the first cases were run.
    draws : bool
        Whether cases are draws from a model and name no subjects.
    held_out : frozenset of str
        Subjects of the split of such a board, as far as they are known.
    hidden : mapping of str to int
        How many rows of a method are of another protocol or of other data, and left out of ``frame``.
    """

    frame: pd.DataFrame = field(repr=False)
    metrics: Mapping[str, Metric]
    limited: bool = False
    draws: bool = False
    held_out: frozenset[str] = frozenset()
    hidden: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``task/track/dataset``, and the split where it is not the test split."""
        first = self.frame.iloc[0]
        parts = [str(first[key]) for key in ("task", "track", "dataset")]
        return "/".join(parts if first["split"] == "test" else [*parts, str(first["split"])])

    @property
    def dataset(self) -> str:
        return str(self.frame["dataset"].iloc[0])

    @property
    def track(self) -> str:
        return str(self.frame["track"].iloc[0])

    @property
    def fingerprint(self) -> str:
        return str(self.frame["fingerprint"].iloc[0])

    @property
    def simulated(self) -> bool:
        return bool(self.frame["simulated"].iloc[0])

    @cached_property
    def ran(self) -> pd.DataFrame:
        """The rows that count."""
        return counted(self.frame)

    @cached_property
    def subjects(self) -> frozenset[str]:
        """Whom no weights may have seen."""
        return self.held_out or frozenset(subject for who in self.ran["subjects"] for subject in who)

    @cached_property
    def place(self) -> Grid:
        """Where each of them stands, by its case and method."""
        return grid(self.ran)

    @cached_property
    def failed(self) -> pd.DataFrame:
        """Cases by methods: where one of them failed."""
        return pd.DataFrame(self.place.failed, index=self.place.cases, columns=self.place.methods)

    def values(self, metric: str) -> pd.DataFrame:
        """Cases by methods that have any; of CPU time, its logarithm where a method did not fail."""
        place = self.place
        if metric == COST:
            table = np.full(place.scored.shape, np.nan)
            table[place.at] = np.log(self.ran[COST].clip(lower=1e-3))
            values = pd.DataFrame(np.where(place.scored, table, np.nan), index=place.cases, columns=place.methods)
        else:
            values = scores(self.ran, place, self.metrics[metric])
        return values[[name for name in values if values[name].notna().any()]]

    def design(self, cases: Iterable[str]) -> Design:
        """Who is in each case."""
        first = self.ran.drop_duplicates("case").set_index("case")["subjects"]
        return Design([first[case] for case in cases])

    def facts(self, method: str, column: str) -> set[str]:
        """What stands in a column of a method's rows; one value if all were made alike, none where none is."""
        if column not in self.ran:
            return set()
        return set(self.ran.loc[self.ran["method"] == method, column].dropna().map(str))
