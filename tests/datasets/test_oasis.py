"""OASIS at 1 mm: the brains of `oasis-miccai2012` on the template's field, at the size that papers register."""

from __future__ import annotations

from mrbench.datasets.oasis import OasisBrains, OasisFineBrains


def test_both_sizes_are_of_the_same_people_and_cached_apart() -> None:
    fine, coarse = OasisFineBrains(), OasisBrains()
    assert fine.subjects("test") == coarse.subjects("test") and len(fine.subjects("test")) == 18
    assert fine.structures == coarse.structures and fine.name != coarse.name
    assert fine.cache != coarse.cache and fine.source_files("1002") == coarse.source_files("1002")
