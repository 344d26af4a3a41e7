"""Names from outside stay under their root; digests are of content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrbench.core.errors import DataError
from mrbench.io import files
from mrbench.io.files import content_digest, sha256_of, write_atomically
from mrbench.io.paths import checked_id, inside


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_an_id_is_one_part_of_a_path_or_refused(text: str) -> None:
    try:
        checked = checked_id(text, "here")
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert inside(Path("/tmp/root"), checked).parent == Path("/tmp/root").resolve()


@pytest.mark.parametrize("parts", [("..", "a"), ("/etc/passwd",), ("a", "../../b"), (".",), ("a\0b",)])
def test_no_path_leaves_its_root(tmp_path: Path, parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"lies outside|cannot be a path"):
        inside(tmp_path, *parts)


def test_links_do_not_lead_out_of_the_root(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir(), elsewhere.mkdir()
    (root / "link").symlink_to(elsewhere)
    with pytest.raises(DataError, match="lies outside"):
        inside(root, "link", "a")
    assert inside(root, "a", "b") == root.resolve() / "a" / "b"


def test_a_link_is_replaced_and_what_it_names_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / "out").symlink_to(tmp_path / "precious")
    with write_atomically(tmp_path / "out") as file:
        file.write(b"new")
    assert (tmp_path / "precious").read_text() == "as it was" and (tmp_path / "out").read_text() == "new"


def settle(path: Path, seconds: float = 60) -> None:
    """Make a file look as if it had not changed for a while, as far as a user can."""
    then = path.stat().st_mtime_ns - int(seconds * 1e9)
    os.utime(path, ns=(then, then))


def test_digests_follow_content_and_never_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SETTLED", 0)
    path = tmp_path / "a"
    path.write_bytes(b"one")
    first = content_digest(path)
    assert first == sha256_of(path)
    settle(path)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(b"two")
    os.utime(path, ns=times)  # of the same size and date, as copying tools leave it
    assert content_digest(path) == sha256_of(path) != first


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SETTLED", 0)
    read = []
    monkeypatch.setattr(files, "sha256_of", lambda path: read.append(path) or sha256_of(path))
    path = tmp_path / "a"
    path.write_bytes(b"one")
    for _ in range(5):
        content_digest(path)
    files._digests.clear()  # as in the next process
    assert content_digest(path) == sha256_of(path) and len(read) == 1
    note = files._note_of((str(path),))
    note.write_bytes(b"{damaged")
    files._digests.clear()
    assert content_digest(path) == sha256_of(path) and len(read) == 2


def test_a_file_just_written_is_not_remembered(tmp_path: Path) -> None:
    """It may change again within one tick of the clock, and look the same."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    content_digest(path)
    assert not files._note_of((str(path),)).exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_has_no_digest(tmp_path: Path, make) -> None:
    make(tmp_path / "a")
    with pytest.raises(DataError, match="is not a file"):
        content_digest(tmp_path / "a")
