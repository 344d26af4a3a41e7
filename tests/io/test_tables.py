"""Tables as spreadsheets write them, and what is wrong with them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrbench.core.errors import DataError
from mrbench.io.tables import read_table

REQUIRED = ("subject", "split")


def read(path: Path, text: str | bytes) -> dict[str, dict[str, str]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, REQUIRED)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiters_blanks_and_case_do_not_matter(tmp_path: Path, delimiter: str, newline: str) -> None:
    lines = [" Subject ", "SPLIT", "T1"], [" p01", "Test ", " a b.nii.gz "], [], ["p02", "train", ""]
    text = newline.join(delimiter.join(line) for line in lines)
    rows = read(tmp_path / "t.csv", b"\xef\xbb\xbf" + text.encode())
    assert rows == {
        "p01": {"subject": "p01", "split": "test", "T1": "a b.nii.gz"},
        "p02": {"subject": "p02", "split": "train", "T1": ""},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,split\np01,test\np01 ,test\n", "subject 'p01' stands twice; name each"),
        ("subject,split\np01,test\nP01,test\n", "subject 'P01' stands twice, as 'p01'; name each"),
        ("subject,split,T1,t1\na,test,b,c\n", "two columns 'T1'"),
        ("subject,split,\na,test,b\n", "a column without a name"),
        ("subject,part\na,test\n", "lacks the column split; its heading is subject, part"),
        ("subject,split\na,val\n", "line 2: subject 'a' has split 'val'; use train, validation, test"),
        ("subject,split\na\n", "line 2 has 1 field, fewer than the 2 of the heading"),
        ("subject,split\n\n\na,test,b\n", "line 4 has 3 fields, more than the 2 of the heading"),
        ('subject,split\n"a,test\n', "is no table"),
        ("subject,split\n../../../evil,test\n", "cannot be a file's name"),
        ("subject,split\n/etc/passwd,test\n", "cannot be a file's name"),
        ("subject,split\na\\b,test\n", "cannot be a file's name"),
        ("subject,split\n.hidden,test\n", "cannot be a file's name"),
        ("subject,split\na\x1b[31m,test\n", "cannot be a file's name"),
        (f"subject,split\n{'a' * 300},test\n", "longer than 120 bytes"),
        ("subject,split\n,test\n", "empty subject id"),
        ("", "is empty"),
        ("a\0b", "zero bytes"),
        ("subject,split\nMüller,test\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_faults_are_one_sentence(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / "t.csv", text)
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value)


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(FIELD, min_size=2, max_size=3), max_size=5), st.sampled_from(",;\t"))
@settings(max_examples=60, deadline=None)
def test_any_table_is_read_with_safe_ids_or_is_a_sentence(lines: list[list[str]], delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["subject", "split"], *lines])
    with TemporaryDirectory() as folder:
        try:
            rows = read(Path(folder) / "t.csv", out.getvalue())
        except DataError as error:
            assert "\n" not in str(error)
            return
        for subject, row in rows.items():
            assert subject == row["subject"] == subject.strip() and row["split"] in ("train", "validation", "test")
            (Path(folder) / subject).touch()
            assert (Path(folder) / subject).parent == Path(folder)
        assert len({subject.casefold() for subject in rows}) == len(rows)
