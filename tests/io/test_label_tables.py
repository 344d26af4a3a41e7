"""What label maps call their structures: every spelling that is read, and what is refused rather than guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrbench.core.errors import DataError
from mrbench.io.label_tables import LABEL_FILES, label_names, labels_file

FREESURFER = """#$Id: FreeSurferColorLUT.txt $
#No. Label Name:                            R   G   B   A

0   Unknown                                 0   0   0   0
4   Left-Lateral-Ventricle                  120 18  134 0
17  Left-Hippocampus                        220 216 20  0
"""

ITK_SNAP = """################################################
# ITK-SnAP Label Description File
################################################
    0     0    0    0        0  0  0    "Clear Label"
    4   120   18  134        1  1  1    "Left-Lateral-Ventricle"
   17   220  216   20      0.5  0  1    "Left-Hippocampus"
"""

LPBA40 = (
    '0\t"background"\t0\t0\t0\t0\n4\t"Left-Lateral-Ventricle"\t255\t128\t128\t255\n17\t"Left-Hippocampus"\t1\t2\t3\t4\n'
)

WANTED = {4: "Left-Lateral-Ventricle", 17: "Left-Hippocampus"}
LINES = "0{0}Background\n4{0}Left-Lateral-Ventricle\n17{0}Left-Hippocampus\n"


def read(folder: Path, text: str) -> dict[int, str]:
    (folder / "labels.csv").write_text(text)
    return label_names(folder / "labels.csv")


@pytest.mark.parametrize(
    "heading",
    [
        "label,name",
        "Label Number,Label Name",  # MICCAI 2012, and OASIS with its labels
        "label_id;structure",
        "index\tname",  # BIDS
        "Index,Label",
        "value,Region Name",
    ],
)
def test_common_headings(tmp_path: Path, heading: str) -> None:
    between = next(letter for letter in ",;\t" if letter in heading)
    assert read(tmp_path, f"{heading}\n{LINES.format(between)}") == WANTED


def test_columns_beside_do_not_matter(tmp_path: Path) -> None:
    text = "Label Number,Label Name,Class\n1,Unlabeled,None\n4,3rd Ventricle,CSF\n"
    assert read(tmp_path, text) == {1: "Unlabeled", 4: "3rd Ventricle"}
    assert read(tmp_path, "index,label,name\n0,3,a\n1,5,b\n") == {3: "a", 5: "b"}  # label and name overrule
    assert read(tmp_path, "index\tname\tabbreviation\tcolor\n7\ta\tA\t#fff\n") == {7: "a"}


@pytest.mark.parametrize("text", [FREESURFER, ITK_SNAP, LPBA40])
def test_colour_tables(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == WANTED


def test_labels_of_any_delimiter(tmp_path: Path) -> None:
    text = "Name;Label\nhead ;1\n both; 2\nboth;3\nbackground;0\n"
    assert read(tmp_path, text) == {1: "head", 2: "both", 3: "both"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,name\n1,a\n1,b\n", "gives the label 1 two names, a and b"),
        ("label;name\n-1;a\n", "labels are positive"),
        ("label,name\n0,a\n", "names no structure"),
        ("label,colour\n1,red\n", "needs the columns label and name; its heading is label, colour"),
        ("label,name\n1.5,a\n", "line 2 needs a label under label .* labels as integers"),
        ("label,name\n1,\n", "line 2 needs a label under label and its name under name"),
        ("label,name\n1\n", "line 2 has 1 field, fewer than the 2 of the heading"),
        ("label,name\n1,gyrus, left\n", "line 2 has 3 fields, more than the 2 of the heading .*; quote a field"),
        ("id,index,name\n1,2,a\n", "id and index may both be the labels' numbers; call the right columns label and"),
        ("label,region,structure\n1,a,b\n", "region and structure may both be the labels' names"),
        ("label_number,label-number,name\n1,2,a\n", "may both be the labels' numbers"),
        ("1,a\n2,b\n", "line 1 .'1,a'. is neither one of a table with the heading label,name"),
        (FREESURFER + "18 Left Amygdala 103 255 255 0\n", "line 7 .'18 Left Amygdala"),
        (ITK_SNAP.replace('"Left-Hippocampus"', "Left-Hippocampus"), "line 6 "),
        ("", "is empty"),
    ],
)
def test_what_is_unclear_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """a table of labels that might be read in two ways -> one sentence"""
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_folder_names_its_labels_once(tmp_path: Path) -> None:
    """two tables of labels in a folder -> one sentence"""
    assert labels_file(tmp_path) is None
    for name in LABEL_FILES:
        (tmp_path / name).write_text(FREESURFER)
        assert labels_file(tmp_path) == tmp_path / name
        (tmp_path / name).unlink()
    for name in LABEL_FILES[1:]:
        (tmp_path / name).write_text(FREESURFER)
    with pytest.raises(DataError, match=r"holds labels\.tsv and labels\.txt; keep the one"):
        labels_file(tmp_path)
