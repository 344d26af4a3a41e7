"""Raw heads made into a folder that registration takes, with how well it went."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from scipy import ndimage
from typer.testing import CliRunner

from mrbench import api
from mrbench.cli.data import app
from mrbench.core.errors import DataError, RequestError
from mrbench.datasets import own_heads
from mrbench.datasets.folder import Folder
from mrbench.io.nifti import Volume
from mrbench.space.heads import FITS, Target, TemplateGrid, agreement, align, brain_mask, template_brain
from mrbench.space.template import GRID_ORIGIN_MM, GRID_SHAPE, template_2mm

STILL = sitk.TranslationTransform(3, [-origin for origin in GRID_ORIGIN_MM[::-1]])
"""From MNI to a volume whose first voxel is at 0: where a head that is the template's grid lies already."""


def write(path: Path, array: np.ndarray, dtype: type = np.float32) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(array.transpose(2, 1, 0).astype(dtype), np.diag([2.0, 2, 2, 1])).to_filename(path)


@pytest.fixture
def heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two heads that are the template, one with labels and a T2, and a file that is none; nothing is to be found."""
    monkeypatch.setattr(own_heads, "align", lambda head, brain, how, onto=None: STILL)
    monkeypatch.setattr(own_heads, "brain_mask", lambda head: template_brain())
    brain, folder = template_2mm(), tmp_path / "heads"
    for subject in ("a", "b"):
        write(folder / f"{subject}_T1.nii.gz", 100 * brain)
    write(folder / "a_T2.nii.gz", 50 * (brain > 0.05) * (1.2 - brain))
    write(folder / "a_labels.nii.gz", 3 * template_brain(), np.int16)
    (folder / "c_T1.nii.gz").write_bytes(b"no volume")
    (folder / "labels.csv").write_text("label,name\n3,brain\n")
    return folder


@pytest.mark.slow
def test_a_folder_of_heads_becomes_one_that_registration_takes(heads: Path, tmp_path: Path) -> None:
    quality = api.prepare_heads(heads, tmp_path / "out", spacing=4).set_index("subject")
    assert list(quality["brain_by"]) == ["labels", "template", "none"]
    assert quality.loc[["a", "b"], "overlap"].min() > 0.93 and (quality.loc[["a", "b"], "note"] == "").all()
    assert "cannot be read as NIfTI" in quality.at["c", "note"]
    table = pd.read_csv(tmp_path / "out/subjects.csv", dtype=str)
    assert list(table["subject"]) == ["a", "b"] and {"T1", "T2", "labels", "mask"} < set(table)
    assert (tmp_path / "out/heads.png").stat().st_size > 1000 and (tmp_path / "out/quality.csv").is_file()
    folder = Folder(tmp_path / "out")
    first, second = folder.load("a"), folder.load("b")
    assert first.mask.shape == TemplateGrid(4).shape == tuple(n // 2 for n in GRID_SHAPE)
    assert first.spacing == (4.0, 4.0, 4.0) and not first.apart_from(second)
    assert folder.structures == {"brain": (3,)} and first.labels is not None and first.labels.any()
    inside = np.corrcoef(first.images["T1"][first.mask], second.images["T1"][first.mask])[0, 1]
    assert inside > 0.95


@pytest.mark.slow
def test_what_is_no_brain_goes_only_if_asked(heads: Path, tmp_path: Path) -> None:
    loud = template_2mm() + 0.5 * (np.indices(GRID_SHAPE)[2] < 12)
    write(heads / "b_T1.nii.gz", 100 * loud)
    for strip in (True, False):
        api.prepare_heads(heads, tmp_path / str(strip), strip=strip, spacing=4)
        image = nib.load(tmp_path / str(strip) / "b_T1.nii.gz").get_fdata()
        assert (image[:5].max() > 1) != strip


def test_pairs_are_kept_where_both_are_there(heads: Path, tmp_path: Path) -> None:
    (heads / "c_T1.nii.gz").unlink()
    (heads / "subjects.csv").write_text("subject,split,T1\na,test,a_T1.nii.gz\nb,test,b_T1.nii.gz\n")
    (heads / "pairs.csv").write_text("moving,fixed\nb,a\n")
    api.prepare_heads(heads, tmp_path / "out", spacing=4)
    assert Folder(tmp_path / "out").pairs("test") == (("b", "a"),)


@pytest.mark.slow
def test_a_bad_fit_is_named(heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = sitk.TranslationTransform(3, [offset + 40 for offset in STILL.GetParameters()])
    monkeypatch.setattr(own_heads, "align", lambda head, brain, how, onto=None: away)
    quality = api.prepare_heads(heads, tmp_path / "out", spacing=4).set_index("subject")
    assert "fits the template badly" in quality.at["b", "note"]


@pytest.mark.slow
def test_heads_are_aligned_to_one_of_them(heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """that head rigidly to the template, the others to it; a fit to it is named by its name"""
    asked = []

    def align_(head: Volume, brain: np.ndarray, how: str, onto: Target | None = None) -> sitk.Transform:
        asked.append((how, onto.name if onto else "the template"))
        return STILL

    monkeypatch.setattr(own_heads, "align", align_)
    write(heads / "b_T1.nii.gz", 100 * np.flip(template_2mm(), 0))
    quality = api.prepare_heads(heads, tmp_path / "out", onto="b", spacing=4).set_index("subject")
    assert asked == [("rigid", "the template"), ("affine", "b")]
    assert quality.at["a", "note"].startswith("fits b badly") and quality.at["a", "correlation"] < FITS[1]
    with pytest.raises(RequestError, match=r"subject of .* 'd'"):
        api.prepare_heads(heads, tmp_path / "other", onto="d")
    assert not (tmp_path / "other").exists()


def test_a_small_brain_fits_where_sizes_are_kept() -> None:
    """a smaller brain in the middle of the template's -> a bad Dice, all of it inside; aside it is outside"""
    small = ndimage.binary_erosion(template_brain(), iterations=4)
    aside = np.roll(small, 20, axis=2)
    image, grid = template_2mm(), TemplateGrid(2.0)
    assert agreement(image, small, grid)[0] < FITS[0] < agreement(image, small, grid, "rigid")[0] == 1
    assert agreement(image, aside, grid, "rigid")[0] < FITS[0]
    assert agreement(image, np.zeros_like(small), grid, "rigid") == (0, 0)


def test_wrong_requests_are_one_sentence(heads: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="alignment 'affin'"):
        api.prepare_heads(heads, tmp_path / "out", align="affin")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="voxels of 20 mm"):
        api.prepare_heads(heads, tmp_path / "out", spacing=20)
    with pytest.raises(DataError, match="is there and not empty"):
        api.prepare_heads(heads, heads)
    for name in ("a", "b"):
        (heads / f"{name}_T1.nii.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"no head of .* could be prepared; the first says"):
        api.prepare_heads(heads, tmp_path / "out")


@pytest.mark.slow
def test_the_verb_says_how_it_went_and_what_comes_next(heads: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["prepare", f"folder:{heads}", "--strip", "--spacing", "4", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert "2 of 3 heads fit the template" in done.output and "mrbench run --task registration" in done.output
    refused = CliRunner().invoke(app, ["prepare", "icbm-sim", "--strip"])
    assert isinstance(refused.exception, RequestError) and "are for folder:PATH" in str(refused.exception)


def test_a_grid_of_another_spacing_covers_the_same_field() -> None:
    fine, coarse = TemplateGrid(1.0), TemplateGrid(4.0)
    for grid in (fine, coarse):
        ends = [o - grid.spacing / 2 + n * grid.spacing for o, n in zip(grid.origin, grid.shape, strict=True)]
        assert ends == [o - 1 + 2 * n for o, n in zip(GRID_ORIGIN_MM, GRID_SHAPE, strict=True)]
    assert agreement(template_2mm(), template_brain(), TemplateGrid(2.0)) == pytest.approx((1, 1), abs=1e-6)


@pytest.mark.usefixtures("few_samples")
@pytest.mark.slow
def test_a_brain_is_found_in_its_skull_and_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The template, turned and moved, in a shell of bone and scalp."""
    monkeypatch.setattr("mrbench.space.heads.STARTS_MM", ((-45, 0), (0, 0)))
    monkeypatch.setattr("mrbench.space.heads.ROUNDS", 1)
    from scipy.ndimage import binary_dilation

    brain = template_brain()
    bone = binary_dilation(brain, iterations=4)
    scalp = binary_dilation(bone, iterations=3) & ~bone
    head = np.where(scalp, 0.9, template_2mm()) + 0.02 * np.random.default_rng(0).random(GRID_SHAPE)
    move = sitk.AffineTransform(3)
    move.Rotate(0, 1, 0.15)
    move.SetTranslation((6, -8, 10))
    move.SetCenter(list(GRID_SHAPE[::-1]))

    def moved(array: np.ndarray) -> np.ndarray:
        image = sitk.GetImageFromArray(array.astype(np.float32))
        image.SetSpacing((2, 2, 2))
        return sitk.GetArrayFromImage(sitk.Resample(image, image, move, sitk.sitkLinear, 0.0))

    volume = Volume(moved(head), np.diag([2.0, 2, 2, 1]))
    truth = moved(brain) > 0.5
    mask = brain_mask(volume)
    assert 2 * np.count_nonzero(mask & truth) / (mask.sum() + truth.sum()) > 0.95
    rigid = own_heads.resampled(volume, align(volume, truth, "rigid"), TemplateGrid(2.0), nearest=False)
    assert np.corrcoef(rigid[brain], template_2mm()[brain])[0, 1] > 0.95
    turned, plain = Target("a head", moved(template_2mm()), truth), Volume(template_2mm(), np.diag([2.0, 2, 2, 1]))
    onto = own_heads.resampled(plain, align(plain, brain, "rigid", turned), TemplateGrid(2.0), nearest=False)
    assert np.corrcoef(onto[truth], turned.image[truth])[0, 1] > 0.95
