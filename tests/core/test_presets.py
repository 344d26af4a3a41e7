"""What a run without ``--method`` shows: every preset of every method resolves, on every track."""

from __future__ import annotations

import pytest

from mrbench.core.candidate import candidates
from mrbench.core.errors import RequestError
from mrbench.core.registry import find_dataset, find_method, find_task, method_names, task_names
from mrbench.core.setting import Setting


@pytest.mark.parametrize("name", task_names())
def test_every_task_has_a_default_board_and_a_quick_one(name: str) -> None:
    task = find_task(name)
    dataset = find_dataset("icbm-sim", task.representation)
    whole, quick = (candidates(Setting.of(task, dataset), quick=quick) for quick in (False, True))
    shown = {method for method in method_names(name) if find_method(method, name).presets}
    assert {candidate.spec.name for candidate in whole} == shown
    assert quick and len(quick) < len(whole)
    assert any(candidate.skipped is None for candidate in quick)


def test_a_parameter_that_may_be_a_number_or_a_word_takes_both() -> None:
    threshold = find_method("threshold", "segmentation")
    assert threshold.build(flair="otsu").flair == "otsu"
    assert threshold.build(flair=2.0).flair == 2.0
    with pytest.raises(RequestError, match="gain of Threshold takes a number"):
        threshold.build(gain="much")
