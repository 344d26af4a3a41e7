"""The training loop: resume, choice of weights, and what stops it."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from mrbench.core.errors import DataError, RequestError
from mrbench.training.loop import CurvePoint, Progress, Schedule, train
from mrbench.training.stopping import TrainingStopped


class LineRecipe:
    """Fit y = 2x + 1 from noisy batches."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = torch.nn.Linear(1, 1)
        self.settings: dict = {}

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        x = torch.from_numpy(rng.normal(size=(8, 1)).astype(np.float32))
        noise = torch.from_numpy(rng.normal(0, 0.1, size=(8, 1)).astype(np.float32))
        return (self.network(x) - (2 * x + 1 + noise)).square().mean()


def run(folder: Path, steps: int, *, stop_at: int | None = None, score=lambda: 0.0, recipe=None, keep_last=False):
    recipe = recipe or LineRecipe()

    def report(progress, loss, value) -> None:
        if progress.step == stop_at:
            raise KeyboardInterrupt

    schedule = Schedule(steps, 0.05, validate_every=5, checkpoint_seconds=0, keep_last=keep_last)
    settings = {"steps": steps}
    best, progress = train(
        recipe, schedule, settings=settings, validate=score, checkpoint=folder / "c.pt", report=report
    )
    return recipe, best, progress


def test_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    whole = run(tmp_path / "a", 40)[0]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", 40, stop_at=17)
    resumed, _, progress = run(tmp_path / "b", 40)
    assert progress.step == 40
    for one, other in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)


def test_what_it_ran_on_is_kept_through_a_resume(tmp_path: Path) -> None:
    """A budget in seconds means something on one processor alone."""

    def trained(hardware: str, stop: bool) -> list[str]:
        schedule = Schedule(12, 0.05, validate_every=4, checkpoint_seconds=0)
        given = {"settings": {}, "validate": lambda: 0.0, "checkpoint": tmp_path / "c.pt", "hardware": hardware}
        return train(LineRecipe(), schedule, **given, stop=lambda: stop)[1].hardware

    for hardware in ("a CPU", "a CPU", "a GPU"):
        with pytest.raises(TrainingStopped):
            trained(hardware, stop=True)
    assert trained("a CPU", stop=False) == ["a CPU", "a GPU"]


class DrawnLineRecipe(LineRecipe):
    """The same with batches that another process may draw."""

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        return self.loss_of(self.draw(rng))

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=(8, 1)).astype(np.float32)
        return x, 2 * x + 1 + rng.normal(0, 0.1, size=(8, 1)).astype(np.float32)

    def loss_of(self, drawn: tuple[np.ndarray, np.ndarray]) -> torch.Tensor:
        x, y = map(torch.from_numpy, drawn)
        return (self.network(x) - y).square().mean()


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on a machine of one core
def test_batches_drawn_ahead_are_the_same(tmp_path: Path) -> None:
    plain, ahead = DrawnLineRecipe(), DrawnLineRecipe()
    for recipe, loaders in ((plain, 0), (ahead, 2)):
        path = tmp_path / f"{loaders}.pt"
        train(recipe, Schedule(12, 0.05), settings={}, validate=lambda: 0.0, checkpoint=path, loaders=loaders)
    assert torch.equal(plain.network.weight, ahead.network.weight) and plain.network.weight.item() != 0


def signalled(number: signal.Signals, checkpoint: Path) -> None:
    """Train with batches drawn ahead, whose process gets the signal after the third step."""

    def report(progress, loss, value) -> None:
        if progress.step == 3:
            for worker in multiprocessing.active_children():
                os.kill(worker.pid, number)

    schedule = Schedule(12, 0.05, checkpoint_seconds=0)
    train(
        DrawnLineRecipe(), schedule, settings={}, validate=lambda: 0.0, checkpoint=checkpoint, loaders=1, report=report
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_costs_no_batch(number: signal.Signals, tmp_path: Path) -> None:
    signalled(number, tmp_path / "c.pt")
    assert torch.load(tmp_path / "c.pt")["progress"]["step"] == 12


@pytest.mark.slow  # PyTorch asks every five seconds
def test_a_loader_that_dies_is_one_sentence_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="fewer --loaders"):
        signalled(signal.SIGKILL, tmp_path / "c.pt")
    assert torch.load(tmp_path / "c.pt")["progress"]["step"] >= 3


def test_training_learns_and_returns_the_best_validated_weights(tmp_path: Path) -> None:
    scores = iter([0.1, 0.9, 0.3, 0.2])
    seen = []
    recipe = LineRecipe()

    def score() -> float:
        seen.append(recipe.network.weight.item())
        return next(scores)

    _, best, progress = run(tmp_path, 20, score=score, recipe=recipe)
    assert progress.best_step == 10 and progress.best_score == 0.9
    assert best["weight"].item() == pytest.approx(seen[1]) and seen[3] != seen[1]


def test_the_last_weights_are_kept_where_asked(tmp_path: Path) -> None:
    scores, recipe = iter([0.1, 0.9, 0.3, 0.2]), LineRecipe()
    _, best, progress = run(tmp_path, 20, score=lambda: next(scores), recipe=recipe, keep_last=True)
    assert progress.best_step == 20 and progress.best_score == 0.2
    torch.testing.assert_close(best["weight"], recipe.network.weight.detach())


def test_nan_loss_stops_with_one_sentence(tmp_path: Path) -> None:
    recipe = LineRecipe()
    recipe.network.bias.data.fill_(np.nan)
    with pytest.raises(RequestError, match="lower --learning-rate"):
        run(tmp_path, 10, recipe=recipe)


def test_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    run(tmp_path, 10)
    with pytest.raises(RequestError, match="of another training"):
        run(tmp_path, 5)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:300]), "is no checkpoint"),
        (lambda path: path.write_bytes(b""), "is no checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps(print, protocol=2)), "is no checkpoint"),
        (lambda path: torch.save([1, 2], path), "is no checkpoint"),
        (lambda path: torch.save({**torch.load(path), "players": {}}, path), "does not fit the network"),
        (lambda path: torch.save({**torch.load(path), "progress": {"odd": 1}}, path), "does not fit the network"),
    ],
)
def test_a_checkpoint_that_cannot_be_resumed_is_one_sentence(tmp_path: Path, damage, said: str) -> None:
    """a checkpoint is torn, something else, or of another network -> one sentence"""
    run(tmp_path, 10)
    (path,) = tmp_path.glob("*.pt")
    damage(path)
    with pytest.raises(RequestError, match=rf"\.pt {said}.*; delete it") as caught:
        run(tmp_path, 10)
    assert "\n" not in str(caught.value)


def test_rate_warms_up_then_falls_to_zero() -> None:
    schedule = Schedule(1000, 1e-3)
    rates = [schedule.rate(step) for step in range(1000)]
    assert rates[0] < 1e-4 and max(rates) == pytest.approx(1e-3) and rates[-1] < 1e-7
    assert np.argmax(rates) in (19, 20)


def test_the_mean_of_the_weights_is_what_is_validated_and_kept(tmp_path: Path) -> None:
    recipe, seen = LineRecipe(), []

    def score() -> float:
        seen.append(recipe.network.weight.item())
        return float(len(seen))

    schedule = Schedule(20, 0.05, validate_every=10, checkpoint_seconds=0, ema=0.9)
    best, progress = train(recipe, schedule, settings={}, validate=score, checkpoint=tmp_path / "c.pt")
    assert best["weight"].item() == seen[1] and recipe.network.weight.item() != seen[1]
    # a mean lags behind weights that rise
    assert seen[1] < recipe.network.weight.item() and progress.best_step == 20


def test_a_mean_survives_a_resume(tmp_path: Path) -> None:
    schedule = Schedule(12, 0.05, validate_every=4, checkpoint_seconds=0, ema=0.9)
    networks = []
    rising = itertools.count()

    def scores() -> float:
        return float(next(rising))

    for folder, stops in ((tmp_path / "a", False), (tmp_path / "b", True)):
        folder.mkdir()
        asked = itertools.count()
        if stops:
            with pytest.raises(
                TrainingStopped, match=r"stopped at step 7 of 12; the same command continues from .*c\.pt"
            ):
                train(
                    LineRecipe(),
                    schedule,
                    settings={},
                    validate=scores,
                    checkpoint=folder / "c.pt",
                    stop=lambda asked=asked: next(asked) == 6,
                )
        networks.append(train(LineRecipe(), schedule, settings={}, validate=scores, checkpoint=folder / "c.pt"))
    (whole, _), (resumed, progress) = networks
    torch.testing.assert_close(whole, resumed, atol=0, rtol=0)
    assert [point.step for point in progress.curve] == list(range(1, 13))
    assert [point.step for point in progress.curve if point.score is not None] == [4, 8, 12]


@pytest.mark.parametrize(
    ("scores", "flat"),
    [
        ([0.1, 0.5, 0.58, 0.598, 0.599, 0.6], True),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], False),
        ([0.1, 0.6, 0.59, 0.58, 0.57, 0.56], True),
        ([0.1, 0.6], None),
    ],
)
def test_a_curve_is_flat_once_its_last_fifth_gains_little(scores: list[float], flat: bool | None) -> None:
    curve = [CurvePoint(100 * (n + 1), 0.0, 1e-3, 1.0, score) for n, score in enumerate(scores)]
    curve.insert(1, CurvePoint(150, 0.0, 1e-3, 1.0, None))
    assert Progress(step=100 * len(scores), curve=curve).flat is flat


def test_a_long_gradient_is_shortened_where_the_recipe_says(tmp_path: Path) -> None:
    class Steep(LineRecipe):
        def loss(self, rng: np.random.Generator) -> torch.Tensor:
            return 1e4 * super().loss(rng)

    steep = Steep()
    steep.settings = {"gradient_norm": 0.5}
    train(steep, Schedule(1, 0.0), settings={}, validate=lambda: 0.0, checkpoint=tmp_path / "c.pt")
    gradients = torch.cat([parameter.grad.flatten() for parameter in steep.network.parameters()])
    assert gradients.norm().item() == pytest.approx(0.5, rel=1e-3)


def test_a_full_disk_is_one_sentence_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    """The kernel refuses to grow a file, as a full disk does; PyTorch's own writer says something else then."""

    def heavy() -> LineRecipe:
        recipe = LineRecipe()
        recipe.network.register_buffer("ballast", torch.zeros(50_000))
        return recipe

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 40, stop_at=2, recipe=heavy())
    before = (tmp_path / "c.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"cannot write .*c\.pt: File too large; free space"):
            run(tmp_path, 40, recipe=heavy())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "c.pt").read_bytes() == before
