"""Train on one thing, test on another: what learned methods keep of their lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan

import pandas as pd

from mrbench.core.metric import Metric
from mrbench.core.weights import seen_among
from mrbench.core.words import some
from mrbench.stats.leaderboard import leaderboard
from mrbench.stats.matching import without_weights
from mrbench.stats.training import Training

COLUMNS = (
    "method",
    "tested_on",
    "trained_on",
    "home",
    "n_cases",
    "n_failed",
    "mean",
    "low",
    "high",
    "loss",
)


@dataclass(frozen=True)
class Transfers:
    """The weights of each learned method on each board that it ran on.

    Attributes
    ----------
    table : DataFrame
        ``method`` (without its ``weights``), ``tested_on``, ``trained_on``, ``home`` (whether the weights were trained
        for this board), ``n_cases``, ``n_failed``; ``mean``, ``low`` and ``high`` of the primary metric; ``loss``, the
        mean over shared cases of how much worse it is than the weights trained for the board, NaN where there are
        none, or these are they.
    refused : DataFrame
        ``method``, ``tested_on``, ``trained_on``, ``reason``: weights that are no strangers to the board, because an
        ancestor of theirs was trained on its dataset, or saw its subjects; weights of which nobody here knows
        what they were trained on.
    """

    table: pd.DataFrame
    refused: pd.DataFrame = field(repr=False)


def transfers(
    rows: pd.DataFrame, trainings: Mapping[str, Training], metric: Metric, simulations: Mapping[str, str]
) -> Transfers:
    """Compare the weights of each learned method on each board that it ran on; failures count as on the board.

    Parameters
    ----------
    rows : DataFrame
        From `stats.frame`, of any boards of one task, those of one board of one protocol.
    trainings : mapping
        From the sha256 of weights to what they were trained on; rows of other weights are refused.
    metric : Metric
        What is compared.
    simulations : mapping
        What tables say of simulated data, by dataset (``simulated k-space``).

    Raises
    ------
    RequestError
        As of `leaderboard`.
    """
    tables, refused = [], []
    for (dataset, track, simulated), board in rows.groupby(
        ["dataset", "track", "simulated"], observed=True, sort=False
    ):
        said = f" ({simulations.get(dataset, 'simulated data')})" if simulated else ""
        table, left_out = _on_board(board, trainings, metric, dataset, track)
        tables.append(table.assign(tested_on=f"{dataset}{said}, {track}"))
        refused.append(left_out.assign(tested_on=f"{dataset}{said}, {track}"))
    whole = pd.concat(tables) if tables else pd.DataFrame(columns=list(COLUMNS))
    whole = whole.assign(away=~whole["home"].astype(bool)).sort_values(
        ["method", "tested_on", "away", "trained_on"], kind="stable", ignore_index=True
    )
    reasons = ["method", "tested_on", "trained_on", "reason"]
    left_out = pd.concat(refused, ignore_index=True) if refused else pd.DataFrame(columns=reasons)
    return Transfers(whole[list(COLUMNS)], left_out[reasons])


def _on_board(
    rows: pd.DataFrame, trainings: Mapping[str, Training], metric: Metric, dataset: str, track: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    board = leaderboard(rows, [metric])
    shipped = board.summary[board.summary["weights"].isin(list(trainings))]
    strange = board.summary["weights"].notna() & ~board.summary["weights"].isin(list(trainings))
    unknown = "has weights that are not installed here, so that nobody knows what they were trained on"
    refused = [{"method": method, "trained_on": "", "reason": unknown} for method in board.summary.index[strange]]
    subjects = {subject for who in rows["subjects"] for subject in who}
    lines = []
    for method, line in shipped.iterrows():
        training = trainings[line["weights"]]
        name = {"method": without_weights(str(method)), "trained_on": str(training)}
        if training.dataset != dataset and training.knows(dataset):
            refused.append({**name, "reason": f"descends from weights trained on subjects of {dataset}"})
        elif leaked := seen_among(training.seen, dataset, subjects):
            refused.append({**name, "reason": f"has seen {some(leaked)} of this board"})
        elif board.metrics:
            home = training.dataset == dataset and track in training.tracks
            cell = board.cells.loc[method, metric.name]
            lines.append(
                {
                    **name,
                    "home": home,
                    "board_name": method,
                    "weights": line["weights"],
                    **line[["n_cases", "n_failed"]],
                    **cell[["mean", "low", "high"]],
                }
            )
    table = pd.DataFrame(lines, columns=["method", "trained_on", "home", "board_name", "weights", *COLUMNS[4:9]])
    table = table.drop_duplicates(["method", "weights"])
    at_home = table[table["home"].astype(bool)].drop_duplicates("method").set_index("method")["board_name"]
    table["loss"] = nan
    for place, line in table[~table["home"].astype(bool) & table["method"].isin(at_home.index)].iterrows():
        values = board.values[metric.name]
        table.loc[place, "loss"] = metric.sign * (values[at_home[line["method"]]] - values[line["board_name"]]).mean()
    left_out = pd.DataFrame(refused, columns=["method", "trained_on", "reason"])
    return table.drop(columns=["board_name", "weights"]), left_out
