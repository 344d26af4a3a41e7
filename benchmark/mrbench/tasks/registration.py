"""Registration: bring a moving brain onto a fixed one, both already affinely aligned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.errors import DataError, PredictionError, RequestError
from mrbench.core.examples import AsNeeded
from mrbench.core.grid import Grid
from mrbench.core.look import Look, cannot_tell
from mrbench.core.prediction import finite_array
from mrbench.core.protocol import Protocol
from mrbench.core.row import distinct
from mrbench.core.task import Picture, Setting, Task
from mrbench.core.track import Track
from mrbench.datasets.dataset import Dataset, Subject
from mrbench.datasets.grid import subject_grid
from mrbench.metrics.conventions import GAIN, OURS, Fits, Pair, fits, turned_fits
from mrbench.metrics.deformation import compose, warp
from mrbench.metrics.overlap import LabelOverlap, dice
from mrbench.tasks.files import read_prediction, write_images
from mrbench.tasks.registration_rules import INTER_SUBJECT, OUR_RULES, TRACKS, Rules
from mrbench.tasks.registration_scores import METRICS, RegistrationEvaluation, RegistrationInputs, RegistrationReference

if TYPE_CHECKING:
    import pandas as pd

CONTRAST = "T1"

APART = 0.5
"""Dice of two masks below which a pair is taken for unaligned: of aligned brains it is above 0.9."""

SMALL = 0.05
"""Share of the grid below which labels are of small structures, which hardly overlap between aligned people either."""

UNLABELLED = (
    "No labels: ranked by the similarity of images, which a field that folds can raise at will; read folds beside it."
)

PREPARE = "align them first: `mrbench data prepare {address} --strip --align affine --spacing 2 --out FOLDER`"


class Registration(Task[RegistrationInputs, RegistrationReference]):
    """Deformable registration between subjects.

    A prediction is a displacement field ``(3, z, y, x)``, in voxels of the fixed grid, pull-back:
    ``warped(p) = moving(p + u(p))``. The harness alone warps labels (nearest) and images (linear).

    Cases are the pairs that a dataset names, or else the ring of a split: each subject is moved onto the next, so each
    is fixed once and moving once.
    """

    name = "registration"
    tracks = TRACKS
    weights_by_track = False
    breakdown = "dice_by_structure"
    holds = "field"
    kernels = ("labels", "fields")
    input_names = ("fixed", "moving", "fixed_mask", "moving_mask")
    metrics = METRICS

    def default_track(self, dataset: Dataset) -> Track[Any]:  # type: ignore[override]
        return TRACKS[dataset.published if dataset.published in TRACKS else INTER_SUBJECT]

    def cases(self, setting: Setting) -> list[CaseId]:
        dataset: Dataset = setting.dataset  # type: ignore[assignment]
        pairs = _pairs(setting)
        cases = [CaseId(name_of(*pair), tuple(one for one in pair if one not in dataset.atlases)) for pair in pairs]
        if twice := [name for name, count in Counter(case.id for case in cases).items() if count > 1]:
            raise DataError(f"two pairs of {dataset.name} are both called '{twice[0]}'; rename one of their subjects.")
        if (rules := _rules(setting.track)).contrasts and pairs:  # one sentence, not as many failures as cases
            moving, fixed = (dataset.load(subject) for subject in pairs[0])
            _contrasts(moving, fixed, rules, dataset)
        return cases

    def subjects_for(self, setting: Setting, cases: Sequence[CaseId]) -> list[str]:
        by_case = {name_of(*pair): pair for pair in _pairs(setting)}
        return list(dict.fromkeys(subject for case in cases for subject in by_case[case.id]))

    def load(self, setting: Setting, case: CaseId) -> Case[RegistrationInputs, RegistrationReference]:
        dataset: Dataset = setting.dataset  # type: ignore[assignment]
        moving, fixed = (dataset.load(subject) for subject in self.subjects_for(setting, [case]))
        rules, structures = _rules(setting.track), dict(dataset.structures)
        moving_contrast, fixed_contrast = _contrasts(moving, fixed, rules, dataset)
        _check_pair(fixed, moving, dataset)
        if dataset.pairs(setting.split) is None and rules.contrasts is None:
            _check_one_contrast(fixed, moving, dataset)
        if structures:
            structures = rules.structures(structures)
            _check_labels(fixed, moving, case, structures, dataset)
        inputs = RegistrationInputs(
            fixed.images[fixed_contrast],
            moving.images[moving_contrast],
            fixed.mask,
            moving.mask,
            fixed.spacing,
        )
        labels = (fixed.labels, moving.labels) if structures else (None, None)
        landmarks = _landmarks(fixed, moving, case)
        reference = RegistrationReference(*labels, structures, _true_displacement(moving, fixed), rules, landmarks)
        return Case(case.id, case.subjects, inputs, reference, fixed.spacing)

    def training_examples(  # type: ignore[override]
        self, dataset: Dataset, tracks: Sequence[Track[Any]]
    ) -> Sequence[Subject]:
        if other := next((track for track in tracks if _rules(track).contrasts), None):
            raise RequestError(f"networks learn from one contrast; train on {INTER_SUBJECT}, not on {other.name}.")
        ids = dataset.subjects("train")
        first = [replace(dataset.load(name), truth={}) for name in ids[:1]]  # kept: without its fields

        def subject(name: str) -> Subject:
            loaded = dataset.load(name)
            image = loaded.images[_contrast(loaded, dataset.name)]
            _check_pair(first[0], loaded, dataset)
            return replace(loaded, images={CONTRAST: image})

        return AsNeeded(subject, ids).checked()

    def protocol(self, setting: Setting) -> Protocol:
        dataset: Dataset = setting.dataset  # type: ignore[assignment]
        rules = _rules(setting.track)
        rule = "ring" if dataset.pairs(setting.split) is None else "as the dataset names them"
        settings = {
            "dataset": dataset.name,
            "contrast": CONTRAST,
            "pairs": rule,
            "structures": {name: list(labels) for name, labels in dataset.structures.items()},
            "label_warp": "nearest",
            "absent_label": "left out where absent from the fixed or the moving image",
            "mask": "fixed brain mask",
            "jacobian": "central differences, unshifted",
            "hd95": "max of directed 95th percentiles, voxel surfaces, mm",
        }
        if rules != OUR_RULES:
            official = rules.pairs_among(dataset.subjects(setting.split), dataset.name)
            settings |= {
                "pairs": f"the {len(official)} of the protocol" if official else rule,
                "structures": {name: list(labels) for name, labels in rules.structures(dataset.structures).items()},
                "family": rules.family,
                "equal_to": rules.source,
            }
        if rules.contrasts:
            settings["contrast"] = " onto ".join(rules.contrasts)
        return Protocol(f"registration/{setting.track.name}", version=1, settings=settings)

    def check(self, case: Case, prediction: object) -> np.ndarray:
        expected = (3, *case.inputs.fixed.shape)
        field = finite_array(prediction, expected, what="the field", axes="(component, z, y, x)")
        largest = float(np.abs(field).max())
        if largest > max(expected):
            raise PredictionError(
                f"the field reaches {largest:.0f} voxels, farther than the image is wide; check its units."
            )
        return field

    def looks(self, case: Case, prediction: np.ndarray) -> list[Look]:
        """Look for another convention, or a grid turned over, in which the field fits the labels clearly better."""
        conventions = Look("conventions", "Units, order of components, signs and direction of the field are ours.")
        grid = Look("grid of the field", "No axis of the field's grid is mirrored or exchanged.")
        both = (conventions, grid)
        if case.reference.fixed_labels is None:
            return [cannot_tell(one, "there are no labels that a right reading brings together.") for one in both]
        pair = self.pair(case)
        tried, turned = fits(prediction, pair), turned_fits(prediction, pair)
        best, over = tried.best, max(turned.by_name, key=lambda name: turned.by_name[name].labels)
        if max(tried.gain(best), turned.gained(over)) <= GAIN:
            return [cannot_tell(one, "no reading of the field brings labels together.") for one in both]
        if float(np.ptp(prediction, axis=(1, 2, 3)).max()) < 0.1 and float(np.abs(prediction).max()) < 1:
            # three small numbers: one of fifty other readings fits as well by chance
            return [cannot_tell(one, "the field is one shift of less than a voxel.") for one in both]
        if turned.beats_named(over, str(OURS)) and turned.gained(over) > tried.gain(best) + GAIN:
            return [conventions, replace(grid, warning=_better(over, turned, over))]
        if tried.beats(best, OURS):
            return [replace(conventions, warning=_better(f"read {best.changes}", tried, str(best))), grid]
        return [*both]

    def write_inputs(self, inputs: RegistrationInputs, folder: Path) -> Mapping[str, Path | float]:
        return write_images(folder, inputs.spacing, {name: getattr(inputs, name) for name in self.input_names})

    def read_output(self, inputs: RegistrationInputs, path: Path) -> object:
        return read_prediction(path, self.holds, Grid(inputs.fixed.shape, inputs.spacing))

    def pair(self, case: Case[RegistrationInputs, RegistrationReference]) -> Pair:
        """What the conventions of a field are tried on."""
        inputs, reference = case.inputs, case.reference
        if reference.fixed_labels is None or reference.moving_labels is None:
            raise RequestError("without labels nobody can tell which convention a field is of; name it.")
        return Pair(inputs.fixed, inputs.moving, reference.fixed_labels, reference.moving_labels, case.spacing)

    def grid(self, setting: Setting, case: Case[RegistrationInputs, RegistrationReference]) -> Grid:
        fixed = self.subjects_for(setting, [CaseId(case.id, case.subjects)])[-1]
        return subject_grid(setting.dataset, fixed, case.inputs.fixed.shape, case.spacing)

    def evaluate(
        self, case: Case[RegistrationInputs, RegistrationReference], prediction: np.ndarray
    ) -> RegistrationEvaluation:
        return RegistrationEvaluation(case, prediction)

    def details(self, evaluation: RegistrationEvaluation) -> Mapping[str, Any]:
        return {"dice_by_structure": evaluation.dice_by_structure} if evaluation.labelled else {"labelled": False}

    def notes(self, rows: pd.DataFrame) -> list[str]:
        if any(details.get("labelled") is False for details in distinct(rows["details"])):
            return [UNLABELLED]
        return []

    def slices(self, case: Case) -> int:
        return len(case.inputs.fixed)

    def picture(self, case: Case, prediction: np.ndarray, index: int | None = None) -> Picture:
        middle = case.inputs.fixed.shape[0] // 2 if index is None else index
        slab = prediction[:, middle : middle + 1].astype(np.float64)
        slab[0] += middle  # a field of one slice, which lies there
        warped = warp(case.inputs.moving, slab, order=1)[0]
        fixed, moving = case.inputs.fixed[middle], case.inputs.moving[middle]
        plane = np.indices(fixed.shape) + prediction[1:, middle]
        return Picture(fixed, moving, warped, warped - fixed, plane, ("fixed", "moving"))


def _better(how: str, tried: Fits, name: str) -> str:
    share, ours = tried.by_name[name].labels, tried.by_name[str(OURS)].labels
    return f"the field fits better {how}: {share:.2f} of sampled labels agree instead of {ours:.2f}"


def _true_displacement(moving: Subject, fixed: Subject) -> np.ndarray | None:
    """Field that carries ``fixed`` to ``moving`` through the template that both were made from."""
    if "to_template" not in fixed.truth or "from_template" not in moving.truth:
        return None
    to_template = fixed.truth["to_template"].astype(np.float32)
    return compose(moving.truth["from_template"].astype(np.float32), to_template)


def _landmarks(fixed: Subject, moving: Subject, case: CaseId) -> tuple[np.ndarray, np.ndarray] | None:
    """Landmarks of both, or None where neither has any."""
    first, second = (subject.truth.get("landmarks") for subject in (fixed, moving))
    if first is None and second is None:
        return None
    if first is None or second is None or len(first) != len(second):
        counts = [0 if points is None else len(points) for points in (first, second)]
        raise DataError(
            f"case '{case.id}': '{fixed.id}' has {counts[0]} landmarks and '{moving.id}' {counts[1]}; "
            "give both as many."
        )
    return first, second


def name_of(moving: str, fixed: str) -> str:
    """Id of the case of a pair."""
    return f"{moving}_to_{fixed}"


def _rules(track: Track[Any]) -> Rules:
    return track.settings if isinstance(track.settings, Rules) else OUR_RULES


def _pairs(setting: Setting) -> tuple[tuple[str, str], ...]:
    """Pairs of a setting, ``(moving, fixed)``: of its protocol, of its dataset, or the ring."""
    dataset: Dataset = setting.dataset  # type: ignore[assignment]
    ring = dataset.subjects(setting.split)
    if official := _rules(setting.track).pairs_among(ring, dataset.name):
        return official
    pairs = dataset.pairs(setting.split)
    if pairs is None:
        pairs = tuple(zip(ring, (*ring[1:], ring[0]), strict=True)) if len(ring) > 1 else ()
    return pairs


def _contrasts(moving: Subject, fixed: Subject, rules: Rules, dataset: Dataset) -> tuple[str, str]:
    """Contrasts of both that the rules name, or else T1 or the only image of each."""
    if rules.contrasts is None:
        return _contrast(moving, dataset.name), _contrast(fixed, dataset.name)
    for subject, wanted in zip((moving, fixed), rules.contrasts, strict=True):
        if wanted not in subject.images:
            todo = f"add it, or choose the track {INTER_SUBJECT}"
            raise DataError(f"subject '{subject.id}' of {dataset.name} has no {wanted}; {todo}.")
    return rules.contrasts


def _contrast(subject: Subject, dataset: str) -> str:
    """T1, or the only image that there is."""
    if CONTRAST in subject.images or len(subject.images) != 1:
        if CONTRAST not in subject.images:
            raise DataError(f"subject '{subject.id}' of {dataset} has no {CONTRAST}; registration needs it.")
        return CONTRAST
    return next(iter(subject.images))


def _check_one_contrast(fixed: Subject, moving: Subject, dataset: Dataset) -> None:
    """Refuse two contrasts where nobody asked for the pair: one of them lacks the contrast of the others."""
    contrasts = [_contrast(subject, dataset.name) for subject in (fixed, moving)]
    if contrasts[0] != contrasts[1]:
        lacking, other = (fixed, moving) if contrasts[0] != CONTRAST else (moving, fixed)
        raise DataError(
            f"subject '{lacking.id}' of {dataset.name} has no {_contrast(other, dataset.name)}, unlike '{other.id}'; "
            "add it, leave the subject out, or name the pairs that you want in pairs.csv."
        )


def _check_labels(
    fixed: Subject, moving: Subject, case: CaseId, structures: Mapping[str, tuple[int, ...]], dataset: Dataset
) -> None:
    """Refuse a pair without labels among labelled ones, and one that shares no structure."""
    if fixed.labels is None or moving.labels is None:
        lacking = fixed.id if fixed.labels is None else moving.id
        raise DataError(f"case '{case.id}': '{lacking}' has no labels, unlike others of {dataset.name}; add them.")
    if not LabelOverlap.of(fixed.labels, moving.labels).merged(list(structures.values())).in_both():
        raise DataError(f"case '{case.id}': no structure is in both label maps, so there is nothing to score.")


def _check_pair(fixed: Subject, moving: Subject, dataset: Dataset) -> None:
    """Refuse subjects that cannot be registered: on another grid, or not aligned."""
    todo = PREPARE.format(address=dataset.address)
    if apart := moving.apart_from(fixed):
        raise DataError(f"'{moving.id}' and '{fixed.id}' lie on different grids, {apart}; {todo}.")
    overlap = dice(fixed.mask, moving.mask)
    if fixed.labels is not None and moving.labels is not None:
        labelled = fixed.labels > 0, moving.labels > 0
        if min(part.mean() for part in labelled) >= SMALL:
            overlap = min(overlap, dice(*labelled))
    if overlap < APART:
        raise DataError(f"'{moving.id}' and '{fixed.id}' are not aligned (Dice of their masks {overlap:.2f}); {todo}.")
