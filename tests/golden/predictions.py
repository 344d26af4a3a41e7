"""Fixed predictions of fixed cases, a few a task: what the golden scores are of. Needs no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from mrbench.core.case import Case
from mrbench.tasks.denoising import Denoising, DenoisingInputs
from mrbench.tasks.generation import Generation, GenerationInputs, GenerationReference
from mrbench.tasks.reconstruction import Reconstruction, ReconstructionInputs, ReconstructionReference
from mrbench.tasks.registration import Registration, RegistrationInputs, RegistrationReference
from mrbench.tasks.restoration import RestorationReference
from mrbench.tasks.segmentation import Segmentation, SegmentationInputs, SegmentationReference
from mrbench.tasks.super_resolution import SuperResolution
from mrbench.tasks.synthesis import Synthesis, SynthesisInputs, SynthesisReference

SHAPE = (20, 36, 30)
SPACING = (2.0, 1.0, 1.5)


def _smooth(seed: int, *shape: int, sigma: float = 2.0) -> np.ndarray:
    """A smooth random array between 0 and 1."""
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), [0] * (len(shape) - 3) + [sigma] * 3)
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


def _head() -> np.ndarray:
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    return (grid**2).sum(0) < 0.8


def predictions() -> Iterator[tuple[str, Any, Case, np.ndarray]]:
    """Name, task, case and prediction."""
    mask, volume = _head(), np.where(_head(), _smooth(0, *SHAPE), 0).astype(np.float32)
    rng = np.random.default_rng(1)
    labels = [np.where(mask, np.digitize(_smooth(s, *SHAPE), np.linspace(0.2, 0.8, 9)) + 1, 0) for s in (2, 2)]
    labels[1] = np.roll(labels[1], (1, 2, -1), (0, 1, 2))
    fixed, moving = (part.astype(np.int16) for part in labels)
    structures = {"a": (2, 3), "b": (4,), "c": (5, 6), "d": (7,), "gone": (99,)}
    truth = 3 * _smooth(5, 3, *SHAPE) - 1.5
    inputs = RegistrationInputs(volume, np.roll(volume, 1, 0), mask, np.roll(mask, 1, 0), SPACING)
    case = Case("r", ("m", "f"), inputs, RegistrationReference(fixed, moving, structures, truth), SPACING)
    fields = {"still": 0 * truth, "near": truth + 0.4 * _smooth(6, 3, *SHAPE), "wild": 9 * (truth - truth.mean())}
    for name, field in fields.items():
        yield f"registration {name}", Registration(), case, field.astype(np.float32)

    frames = np.abs(_smooth(7, 3, 24, 32))
    sampled = np.zeros((3, 24, 32), bool)
    sampled[..., ::3] = True
    seen = ReconstructionInputs(np.zeros((3, 1, 24, 32), np.complex64), sampled, (0, 0), False, SPACING)
    for name, foreground in (("with a foreground", frames > 0.5), ("without", None)):
        known = ReconstructionReference(frames, foreground, (24, 32), "")
        image = frames + 0.05 * rng.standard_normal(frames.shape)
        case = Case("k", ("k",), seen, known, SPACING)
        yield f"reconstruction {name}", Reconstruction(), case, image.astype(np.float32)

    truth_volume = RestorationReference(volume, mask)
    noisy = DenoisingInputs(volume, 0.1, "rician", SPACING)
    for task in (Denoising(), SuperResolution()):
        for level in (0.0, 0.1):
            guess = (volume + level * rng.standard_normal(SHAPE)).astype(np.float32)
            yield f"{task.name} {level}", task, Case("v", ("v",), noisy, truth_volume, SPACING), guess

    t2 = np.where(mask, 1 - 0.7 * volume + 0.1 * _smooth(8, *SHAPE), 0).astype(np.float32)
    pair = SynthesisInputs(volume, mask, "T1", "T2", SPACING)
    contrast = Case("c", ("c",), pair, SynthesisReference(t2, mask), SPACING)
    guess = np.where(mask, t2 + 0.05 * rng.standard_normal(SHAPE), 0).astype(np.float32)
    yield "synthesis one way", Synthesis(), contrast, guess
    yield "synthesis there and back", Synthesis(), contrast, np.stack([guess, 0.9 * volume])

    tumour = np.where(mask, np.digitize(_smooth(9, *SHAPE), [0.55, 0.65, 0.75]), 0).astype(np.int16)
    brains = SegmentationInputs(np.stack([volume] * 4), mask, SPACING)
    for name, reference, guess in (
        ("shifted", tumour, np.roll(tumour, 1, 1)),
        ("empty", tumour, 0 * tumour),
        ("both empty", 0 * tumour, 0 * tumour),
        ("no enhancing tumour", np.where(tumour == 3, 2, tumour), tumour),
    ):
        case = Case("t", ("t",), brains, SegmentationReference(reference), SPACING)
        yield f"segmentation {name}", Segmentation(), case, guess.astype(np.uint8)

    real, training = _smooth(10, 16, 72, 64), _smooth(11, 16, 72, 64)
    draw = GenerationInputs(16, (72, 64), 0, SPACING)
    sample = Case("g", ("g",), draw, GenerationReference(real, training, np.arange(16) // 8), SPACING)
    yield "generation", Generation(), sample, (0.8 * _smooth(12, 16, 72, 64) + 0.2 * training).astype(np.float32)
