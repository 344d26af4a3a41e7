"""What a run without ``--method`` shows: every preset of every method resolves, on every track."""

from __future__ import annotations

import pytest

from mrbench.core.candidate import candidates
from mrbench.core.errors import RequestError
from mrbench.core.registry import find_dataset, find_method, find_task, method_names, task_names
from mrbench.core.task import Setting


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


def test_tuned_values_are_borrowed_by_name(tmp_path) -> None:
    task, dataset = find_task("reconstruction"), find_dataset("icbm-sim", "k-space")
    setting = Setting.of(task, dataset, "multicoil-8x")
    own, lent = candidates(
        setting, ["total-variation[strength=tuned]", "lent=total-variation[strength=tuned:ixi-hh-2mm.multicoil-4x]"]
    )
    assert own.skipped is not None and "not tuned for icbm-sim" in own.skipped
    home = Setting.of(task, find_dataset("ixi-hh-2mm", "k-space"), "multicoil-4x")
    (tuned,) = candidates(home, ["total-variation[strength=tuned]"])
    assert lent.skipped is None and lent.resolved.parameters == tuned.resolved.parameters
    with pytest.raises(RequestError, match=r"was not tuned on 'ixi.nothing'; choose .*ixi-hh-2mm.multicoil-8x"):
        candidates(setting, ["total-variation[strength=tuned:ixi.nothing]"])
    with pytest.raises(RequestError, match="was not tuned on 'ixi-hh-2mm'"):
        candidates(setting, ["total-variation[strength=tuned:ixi-hh-2mm]"])
    with pytest.raises(RequestError, match="iterations cannot be tuned"):
        candidates(setting, ["total-variation[iterations=tuned:ixi-hh-2mm.multicoil-4x]"])


def test_a_strangers_default_board_borrows_what_was_tuned_on_heads(tmp_path) -> None:
    import nibabel as nib
    import numpy as np

    volume = np.random.default_rng(0).random((20, 24, 22)).astype(np.float32)
    (tmp_path / "mine").mkdir()
    nib.Nifti1Image(volume, np.eye(4)).to_filename(tmp_path / "mine/a.nii.gz")
    setting = Setting.of(find_task("denoising"), find_dataset(f"folder:{tmp_path / 'mine'}", "volumes"), "rician-10")
    tuned = [one for one in candidates(setting) if "tuned" in str(one.spec)]
    assert tuned and all("tuned:ixi-hh-2mm.rician-10" in str(one.spec) and one.skipped is None for one in tuned)
