"""Several processes that train one network: two on the CPU, by gloo; GPUs run the same code by NCCL."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mrbench.core.errors import RequestError
from mrbench.training.group import ALONE, Group, leading
from mrbench.training.loading import step_rng
from mrbench.training.loop import Progress, Schedule, train
from mrbench.training.stopping import TrainingStopped

STEPS = 12


class Curve:
    """Fit a curve from random points, and leave a parameter that not every batch uses."""

    settings: dict[str, object] = {"gradient_norm": 1.0}

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        layers = torch.nn.Linear(1, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
        self.network = torch.nn.Sequential(*layers).double()
        self.network.register_parameter("sometimes", torch.nn.Parameter(torch.ones(2, dtype=torch.float64)))

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        x = torch.from_numpy(rng.normal(size=(8, 1)))
        loss = (self.network(x) - torch.sin(x)).square().mean()
        return loss + self.network.sometimes.square().sum() if rng.random() < 0.5 else loss


class BothBatches(Curve):
    """What one process with the batches of two would do: those numbered 2 n and 2 n + 1."""

    step = 0

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        losses = [super(BothBatches, self).loss(step_rng(2 * self.step + part, 0)) for part in range(2)]
        self.step += 1
        return (losses[0] + losses[1]) / 2


def fitted(
    recipe: Curve, folder: Path, group: Group, stop_at: int | None = None
) -> tuple[dict[str, torch.Tensor], Progress]:
    steps = iter(range(1, STEPS + 1))
    return train(
        recipe,
        Schedule(STEPS, 0.05, validate_every=6, keep_last=True, ema=0.9),
        settings={},
        validate=lambda: 0.0,
        checkpoint=folder / "checkpoint.pt",
        stop=lambda: next(steps) == stop_at,
        group=group,
    )


def follow(folder: Path, group: Group) -> None:
    """The second process: other weights at first, and nothing that says when to stop."""
    recipe = Curve(seed=group.rank)
    group.start_alike(recipe.network)
    gradients(recipe, group)
    fitted(recipe, folder, group)


def gradients(recipe: Curve, group: Group) -> list[torch.Tensor]:
    """Of the batch of this process, averaged over the group."""
    recipe.loss(step_rng(group.rank, 0)).backward()
    group.average_gradients(recipe.network)
    return [parameter.grad.clone() for parameter in recipe.network.parameters() if parameter.grad is not None]


@pytest.mark.slow
def test_two_processes_do_what_one_does_with_both_batches(tmp_path: Path) -> None:
    one = BothBatches()
    expected = gradients(one, ALONE)
    one = BothBatches()
    (tmp_path / "one").mkdir()
    whole, _ = fitted(one, tmp_path / "one", ALONE)

    with leading(["cpu", "cpu"], partial(follow, tmp_path)) as group, pytest.raises(TrainingStopped, match="at step 7"):
        recipe = Curve()
        group.start_alike(recipe.network)
        for gradient, wanted in zip(gradients(recipe, group), expected, strict=True):
            torch.testing.assert_close(gradient, wanted, atol=1e-6, rtol=0)
        fitted(recipe, tmp_path, group, stop_at=7)
    with leading(["cpu", "cpu"], partial(follow, tmp_path)) as group:
        recipe = Curve()
        group.start_alike(recipe.network)
        gradients(recipe, group)
        resumed, progress = fitted(recipe, tmp_path, group)
    assert progress.step == STEPS and len(progress.curve) == STEPS
    for name in (name for name in whole if "running" not in name and "tracked" not in name):
        torch.testing.assert_close(resumed[name], whole[name], atol=1e-6, rtol=0)


def fail(group: Group) -> None:
    raise RequestError("no such scanner; give another.")


@pytest.mark.slow
def test_a_process_that_ends_ends_the_training_in_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(RequestError, match="process 2 of 2, on cpu, ended with 1"),
        leading(["cpu", "cpu"], fail) as group,
    ):
        while True:
            group.mean(1.0)
    assert "cpu: no such scanner; give another." in capfd.readouterr().err


def test_one_process_needs_no_other() -> None:
    with leading(["cpu"], fail) as group:
        assert (group.count, group.leads, group.mean(2.5), group.agreed(lambda: True)) == (1, True, 2.5, True)
