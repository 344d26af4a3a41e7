"""Distances between the surfaces of labels: the 95th percentile without the distances that cannot change it.

The distance to the nearest surface voxel of the same row is tabulated; a search then walks over rows, in rings, and
stops where no farther row can be nearer. Of n distances the 95th percentile needs the largest twentieth alone: once
that many are known, a voxel that is surely nearer than the smallest of them is left (the early break of Taha and
Hanbury, IEEE TPAMI 2015, for a percentile).
"""

from __future__ import annotations

import numpy as np

from mrbench.metrics.kernels.compile import compiled

NOWHERE = 65535
"""In the table of a row that has no surface voxel."""

EVERY = 32
"""One voxel in so many is searched first, so that the largest distances are known early."""


@compiled
def surface_points(labels, wanted, numbers_wanted):
    """Voxels that have a face neighbour of another label or lie at the border, ordered by label.

    Parameters
    ----------
    labels : array ``(z, y, x)``
        The label map.
    wanted : array of int
        Number of each label, from 1 to ``numbers_wanted``; 0 for a label to leave out.
    numbers_wanted : int
        How many labels are wanted.

    Returns
    -------
    points : array of int32, shape ``(voxel, 3)``
    starts : array of int
        Where the voxels of each number begin, and where the last end.
    """
    slices, rows, columns = labels.shape
    capacity = 0
    for z in range(slices):
        for y in range(rows):
            line = labels[z, y]
            for x in range(columns):
                capacity += line[x] != 0
    points, numbers = np.empty((capacity, 3), np.int32), np.empty(capacity, np.int32)
    starts = np.zeros(numbers_wanted + 3, np.int64)
    count = 0
    for z in range(slices):
        for y in range(rows):
            line = labels[z, y]
            edge = z == 0 or z == slices - 1 or y == 0 or y == rows - 1
            before, after = labels[max(z - 1, 0), y], labels[min(z + 1, slices - 1), y]
            above, below = labels[z, max(y - 1, 0)], labels[z, min(y + 1, rows - 1)]
            for x in range(columns):
                label = line[x]
                if label == 0 or wanted[label] == 0:
                    continue
                if (
                    edge
                    or x == 0
                    or x == columns - 1
                    or line[x - 1] != label
                    or line[x + 1] != label
                    or above[x] != label
                    or below[x] != label
                    or before[x] != label
                    or after[x] != label
                ):
                    points[count, 0], points[count, 1], points[count, 2] = z, y, x
                    numbers[count] = wanted[label]
                    starts[wanted[label] + 2] += 1
                    count += 1
    for number in range(2, len(starts)):
        starts[number] += starts[number - 1]
    ordered = np.empty((count, 3), np.int32)
    for i in range(count):
        place = starts[numbers[i] + 1]
        starts[numbers[i] + 1] += 1
        ordered[place, 0], ordered[place, 1], ordered[place, 2] = points[i, 0], points[i, 1], points[i, 2]
    return ordered, starts[:-1]


@compiled
def tabulate_rows(points, low, table):
    """Write into ``table`` the distance in voxels along x to the nearest of the points of that row."""
    slices, rows, columns = table.shape
    for z in range(slices):
        for y in range(rows):
            for x in range(columns):
                table[z, y, x] = NOWHERE
    i = 0
    while i < len(points):
        z, y = points[i, 0], points[i, 1]
        line = table[z - low[0], y - low[1]]
        last = -1
        while i < len(points) and points[i, 0] == z and points[i, 1] == y:
            x = points[i, 2] - low[2]
            if last < 0:
                for k in range(x):
                    line[k] = x - k
            else:
                for k in range(last + 1, x):
                    line[k] = min(k - last, x - k)
            line[x] = 0
            last = x
            i += 1
        for k in range(last + 1, columns):
            line[k] = k - last


@compiled
def nearest(z, y, x, table, spacing, enough):
    """Squared distance in mm to the nearest tabulated point; any that is at most ``enough`` will do."""
    slices, rows = table.shape[:2]
    least = min(spacing[0], spacing[1])
    best = np.inf
    for ring in range(max(slices, rows)):
        if best <= enough or (least * ring) ** 2 >= best:
            break
        for dz in range(-ring, ring + 1):
            if not 0 <= z + dz < slices:
                continue
            across = (spacing[0] * dz) ** 2
            step = 1 if abs(dz) == ring else 2 * ring
            for dy in range(-ring, ring + 1, max(step, 1)):
                if not 0 <= y + dy < rows:
                    continue
                away = across + (spacing[1] * dy) ** 2
                along = table[z + dz, y + dy, x]
                if away < best and along != NOWHERE:
                    best = min(best, away + (spacing[2] * along) ** 2)
    return best


@compiled
def sink(heap, size):
    """Put the first of a heap, whose smallest is first, where it belongs."""
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            return
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[parent] <= heap[child]:
            return
        heap[parent], heap[child] = heap[child], heap[parent]
        parent = child


@compiled
def directed_percentile(points, table, low, spacing, share):
    """Percentile ``share`` of the distances of points to those tabulated, linear between ranks, in mm."""
    count = len(points)
    rank = (count - 1) * share
    below = int(np.floor(rank))
    kept = count - below
    heap = np.full(kept, -1.0)  # the largest so far
    distance, from_z, from_y, from_x = np.inf, 0, 0, 0
    for first in range(2):
        for i in range(0, count, EVERY if first == 0 else 1):
            if first == 1 and i % EVERY == 0:
                continue
            z, y, x = points[i, 0] - low[0], points[i, 1] - low[1], points[i, 2] - low[2]
            step = (spacing[0] * (z - from_z)) ** 2 + (spacing[1] * (y - from_y)) ** 2
            step += (spacing[2] * (x - from_x)) ** 2
            # by the triangle, no farther than the last one searched, and the way from there
            if heap[0] > 0 and distance + np.sqrt(step) < (1 - 1e-9) * np.sqrt(heap[0]):
                continue
            square = nearest(z, y, x, table, spacing, heap[0])
            distance, from_z, from_y, from_x = np.sqrt(square), z, y, x
            if square > heap[0]:
                heap[0] = square
                sink(heap, kept)
    lower = np.sqrt(heap[0])
    if kept == 1:
        return lower
    upper = np.sqrt(heap[1] if kept == 2 else min(heap[1], heap[2]))
    weight = rank - below
    if weight >= 0.5:  # as numpy.percentile rounds
        return upper - (upper - lower) * (1 - weight)
    return lower + (upper - lower) * weight


@compiled
def bounds(first, second, low, size):
    """Lowest corner and size of the box of two sets of points."""
    for axis in range(3):
        lowest, highest = first[0, axis], first[0, axis]
        for i in range(len(first)):
            lowest, highest = min(lowest, first[i, axis]), max(highest, first[i, axis])
        for i in range(len(second)):
            lowest, highest = min(lowest, second[i, axis]), max(highest, second[i, axis])
        low[axis], size[axis] = lowest, highest - lowest + 1


@compiled
def hausdorff_percentiles(target, prediction, target_starts, prediction_starts, spacing, share, out):
    """For each number, the larger of both directed percentiles; NaN where neither has it, infinite where one has."""
    low, size = np.empty(3, np.int64), np.empty(3, np.int64)
    for number in range(1, len(out) + 1):
        a = target[target_starts[number] : target_starts[number + 1]]
        b = prediction[prediction_starts[number] : prediction_starts[number + 1]]
        if len(a) == 0 or len(b) == 0:
            out[number - 1] = np.nan if len(a) == len(b) else np.inf
            continue
        bounds(a, b, low, size)
        table = np.empty((size[0], size[1], size[2]), np.uint16)
        out[number - 1] = 0
        for _ in range(2):
            tabulate_rows(b, low, table)
            out[number - 1] = max(out[number - 1], directed_percentile(a, table, low, spacing, share))
            a, b = b, a
