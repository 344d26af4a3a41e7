"""The contract of reconstruction: cases, masks, refusals, scores, warnings."""

import dataclasses

import numpy as np
import pytest
from tests.kspace_phantom import SHAPE, acquire, case_of, write_fastmri
from tests.settings import setting_of

from mrbench.core.errors import DataError, PredictionError, RequestError
from mrbench.core.registry import find_dataset
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.physics.fourier import centre_crop, root_sum_of_squares, to_image, to_kspace
from mrbench.tasks.reconstruction import Reconstruction, undersample
from mrbench.tasks.reconstruction_axes import looks
from mrbench.tasks.sampling import TRACKS

task = Reconstruction()


def zero_filled(case) -> np.ndarray:
    return root_sum_of_squares(to_image(case.inputs.kspace))


def test_cases_take_every_subject_before_the_next_mask() -> None:
    dataset = find_dataset("icbm-sim", "k-space")
    cases = setting_of(task, dataset, "singlecoil-4x").cases()
    subjects = dataset.subjects("test")
    assert len(cases) == 3 * len(subjects) and [c.subjects[0] for c in cases[: len(subjects)]] == list(subjects)
    assert len({case.id for case in cases}) == len(cases)
    assert len(setting_of(task, dataset, "multicoil-4x-equispaced").cases()) == len(subjects)


def test_a_track_follows_from_the_data() -> None:
    cine, heads = find_dataset("cine-sim", "k-space"), find_dataset("icbm-sim", "k-space")
    assert task.default_track(cine).name == "cine-8x" and task.default_track(heads).name == "singlecoil-4x"
    with pytest.raises(RequestError, match="'cine-8x' does not suit icbm-sim; choose singlecoil-4x"):
        setting_of(task, heads, "cine-8x").cases()
    with pytest.raises(RequestError, match="choose cine-8x"):
        setting_of(task, cine, "multicoil-4x").cases()


@pytest.mark.parametrize("track", [name for name in TRACKS if name != "as-acquired"])
def test_inputs_hold_only_what_was_sampled(track: str) -> None:
    frames = 6 if TRACKS[track].settings.dynamic else 2
    case = case_of(track, frames=frames)
    inputs = case.inputs
    assert inputs.mask.shape == (frames, *SHAPE) and inputs.kspace.dtype == np.complex64
    absent = inputs.kspace[~np.broadcast_to(inputs.mask[:, None], inputs.kspace.shape)]
    assert (absent == 0).all() and not np.signbit(absent.real).any()  # a signed zero leaks what was left out
    assert zero_filled(case).max() == pytest.approx(1, abs=1e-5)
    assert min(inputs.calibration) >= 2
    columns = inputs.mask[:, :1].repeat(SHAPE[0], axis=1)
    assert (TRACKS[track].settings.pattern == "poisson") == (not np.array_equal(columns, inputs.mask))
    details = task.score(case, zero_filled(case)).details
    assert 1.5 < details["true_acceleration"] < 14
    assert details["frames" if TRACKS[track].settings.dynamic else "slices"] == frames


def test_full_sampling_gives_the_reference_back() -> None:
    scan = acquire(noise=0)
    inputs, scale = undersample(scan, np.ones((2, *SHAPE), bool), slice(None))
    assert np.allclose(root_sum_of_squares(to_image(inputs.kspace)), scan.reference / scale, atol=1e-5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.tolist(), "returned list"),
        (lambda p: p[0], r"has shape \(48, 96\); \(2, 48, 96\) is needed"),
        (lambda p: np.swapaxes(p, 1, 2), "is needed"),
        (lambda p: (100 * p).astype(int), "dtype int64"),
        (lambda p: p * np.nan, "NaN"),
        (lambda p: p.astype(float) * 1e39, "infinite"),
        (lambda p: 0 * p, "zero everywhere"),
    ],
)
def test_faulty_predictions_are_refused(spoil, message: str) -> None:
    case = case_of("multicoil-4x")
    with pytest.raises(PredictionError, match=message):
        task.check(case, spoil(zero_filled(case)))


def test_complex_images_are_taken_by_their_magnitude_and_cropped() -> None:
    case = case_of("singlecoil-4x")
    image = to_image(case.inputs.kspace)[:, 0]
    assert np.allclose(task.check(case, image), np.abs(image))
    small = dataclasses.replace(case, reference=dataclasses.replace(case.reference, crop=(20, 30)))
    assert np.allclose(task.check(small, image), np.abs(image)[:, 14:34, 33:63])


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda k: root_sum_of_squares(np.fft.ifft2(k, norm="ortho")), "moved by half its size"),
        (lambda k: root_sum_of_squares(np.fft.ifft2(k)), "24 of 48 voxels along y and 48 of 96 voxels along x"),
        (lambda k: root_sum_of_squares(np.fft.fft2(k)), "mirrored along y and x, moved by half its size"),
        (lambda k: root_sum_of_squares(np.fft.fftshift(np.fft.ifft2(k), -1)), "24 of 48 voxels along y: a Fourier"),
        (lambda k: root_sum_of_squares(to_kspace(k)), "mirrored along y and x"),
        (lambda k: root_sum_of_squares(to_image(k))[:, ::-1], "mirrored along y:"),
        (lambda k: root_sum_of_squares(to_image(k))[:, :, ::-1], "mirrored along x:"),
        (lambda k: np.roll(root_sum_of_squares(to_image(k)), 1, 1), "moved by -1 voxel along y"),
        (lambda k: root_sum_of_squares(np.fft.fftshift(np.fft.ifft2(k, norm="ortho"), (-2, -1))), None),
        (lambda k: root_sum_of_squares(to_image(k)) * 1000, "units"),
        (lambda k: root_sum_of_squares(to_image(k)), None),
    ],
)
def test_mixed_up_conventions_are_named(mistake, message: str | None) -> None:
    case = case_of("multicoil-4x")
    warning = task.diagnose(case, task.check(case, mistake(case.inputs.kspace)))
    assert (warning is None) if message is None else (message in warning)
    warned = [look.name for look in task.looks(case, task.check(case, mistake(case.inputs.kspace))) if look.warning]
    assert len(warned) == (message is not None), "what lies wrongly is not accused of its units, too"


@pytest.mark.parametrize("known", [True, False], ids=["truth", "no truth"])
def test_an_exchange_of_rows_and_columns_is_named_where_the_shape_allows_it(known: bool) -> None:
    case = case_of("multicoil-4x")
    kspace, half = case.inputs.kspace, SHAPE[0] // 2
    square = kspace[..., SHAPE[1] // 2 - half : SHAPE[1] // 2 + half]
    right = root_sum_of_squares(to_image(square))
    truth = right if known else None
    crop = right.shape[1:]

    def said(image: np.ndarray) -> str:
        found = looks(square, truth, None, crop, np.ascontiguousarray(image))
        return "".join(look.warning for look in found)

    assert said(right) == ""
    assert "with y and x exchanged" in said(np.swapaxes(right, 1, 2))
    assert "moved by half its size" in said(root_sum_of_squares(np.fft.ifft2(square)).astype(np.float32))
    refused = next(look for look in task.looks(case, zero_filled(case)) if look.name == "exchanged axes")
    assert "y and x" in refused.asked and "sizes differ" in refused.unable


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (np.fft.ifft2, "moved by half its size (48 of 96 voxels along y and 48 of 96 voxels along x"),
        (np.fft.fft2, "mirrored along y and x, moved by half"),
        (lambda k: np.fft.fftshift(np.fft.ifft2(k), axes=-1), "48 of 96 voxels along y: a Fourier"),
        (to_image, None),
    ],
)
def test_a_transform_without_its_shifts_is_named_where_the_crop_leaves_nothing_of_the_image(transform, words) -> None:
    """As of fastMRI, whose references are the middle of twice as many rows."""
    image = acquire(noise=0).reference
    wide = np.zeros((len(image), 1, 96, 96), np.complex64)
    wide[:, 0, 24:72] = image * (1 + np.random.default_rng(0).random(image.shape))
    wide += 0.02 * np.random.default_rng(1).standard_normal(wide.shape)
    kspace, crop = to_kspace(wide), (48, 96)
    truth = centre_crop(np.abs(wide[:, 0]), crop)
    returned = np.ascontiguousarray(centre_crop(root_sum_of_squares(transform(kspace)), crop), np.float32)
    found = looks(kspace, truth, None, crop, returned)
    warnings = [look.warning for look in found if look.warning and look.name != "units"]
    assert warnings == [] if words is None else words in warnings[0]


def test_scores_rank_a_better_image_higher_everywhere() -> None:
    case = case_of("multicoil-4x")
    truth = case.reference.magnitude
    poor, good = (task.score(case, truth + w * (zero_filled(case) - truth)) for w in (1.0, 0.3))
    assert set(good.metrics) == {metric.name for metric in task.metrics}
    for metric in task.metrics:
        assert (good.metrics[metric.name] > poor.metrics[metric.name]) == metric.higher_is_better


def test_protocols_tell_conventions_apart() -> None:
    heads = find_dataset("icbm-sim", "k-space")
    protocols = {setting_of(task, heads, track).protocol.hash for track in TRACKS}
    assert len(protocols) == len(TRACKS)


def test_nothing_sampled_and_empty_calibration_are_data_faults() -> None:
    scan = acquire()
    mask = np.zeros((2, *SHAPE), bool)
    with pytest.raises(DataError, match="zero everywhere"):
        undersample(scan, mask, slice(None))
    kspace = scan.kspace.copy()
    kspace[..., 46:51] = 0
    mask[..., 46:51] = mask[..., ::4] = True
    with pytest.raises(DataError, match="calibration lines"):
        undersample(dataclasses.replace(scan, kspace=kspace), mask, slice(None))


def test_unscored_data_say_why(monkeypatch) -> None:
    case = case_of("multicoil-4x")
    bare = dataclasses.replace(case, reference=dataclasses.replace(case.reference, magnitude=None, foreground=None))
    scores = task.score(bare, zero_filled(bare))
    assert scores.metrics == {} and scores.details["scored"] is False
    assert task.diagnose(bare, zero_filled(bare)) is None
    picture = task.picture(bare, zero_filled(bare))
    assert picture.names[0] == "zero-filled, no reference" and picture.reference.max() >= 1


@pytest.mark.parametrize("lit", [0, 1])
def test_a_slice_with_almost_nothing_in_it_has_a_picture(lit: int) -> None:
    """The brightest of 1000 pixels may be 0: no division by it, whose warnings a user would see."""
    case = case_of("multicoil-4x")
    blank = np.zeros_like(case.reference.magnitude)
    blank[..., :lit, :1] = 1
    bare = dataclasses.replace(case, reference=dataclasses.replace(case.reference, magnitude=blank))
    picture = task.picture(bare, zero_filled(bare))
    assert np.isfinite(picture.difference).all() and picture.reference.max() == lit


def test_order_of_cases_changes_nothing(tmp_path) -> None:
    """Forwards or backwards, each case gets its own mask; the masks of one subject differ."""
    for number in range(2):
        write_fastmri(tmp_path / f"s{number}.h5", acquire(2, 4, seed=number))
    dataset = KspaceFolder(tmp_path)
    cases = setting_of(task, dataset, "multicoil-4x").cases()
    forwards = [setting_of(task, dataset, "multicoil-4x").load(case).inputs for case in cases]
    backwards = [
        setting_of(task, KspaceFolder(tmp_path), "multicoil-4x").load(case).inputs for case in reversed(cases)
    ][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert np.array_equal(one.mask, other.mask) and np.array_equal(one.kspace, other.kspace)
    assert len({inputs.mask.tobytes() for inputs in forwards}) == len(cases) == 6
