"""Names of methods with many parameters, in lines that fit."""

from __future__ import annotations

import re


def fold(name: str, longest: int) -> list[str]:
    """Break a name after its bracket, commas and joints, so that no line is longer than asked.

    Examples
    --------
    >>> fold("voxelmorph[diffeomorphic=true,instance_steps=40]", 24)
    ['voxelmorph', 'diffeomorphic=true,', 'instance_steps=40']
    >>> fold("elastix[grid_mm=10]", 24)
    ['elastix[grid_mm=10]']
    """
    if len(name) <= longest:
        return [name]
    head, bracket, rest = name.partition("[")
    if bracket and name.endswith("]"):
        return [*_pack([head], longest), *_pack(re.findall(r"[^,]+,?", rest[:-1]), longest)]
    return _pack(re.findall(r"[^,\s/:]+[,\s/:]?", name) or [name], longest)


def _pack(parts: list[str], longest: int) -> list[str]:
    """Fill lines with parts; a part that is too long is broken at its joints, and else anywhere."""
    lines: list[str] = []
    for part in parts:
        whole = len(part) <= longest
        for at, piece in enumerate([part] if whole else _pieces(part, longest)):
            if lines and (whole or at) and len(lines[-1]) + len(piece) <= longest:
                lines[-1] += piece
            else:
                lines.append(piece)
    return [line.strip() for line in lines]


def _pieces(part: str, longest: int) -> list[str]:
    joints = re.findall(r"[^=+._-]+[=+._-]?|[=+._-]", part)
    return [joint[at : at + longest] for joint in joints for at in range(0, len(joint), longest)]
