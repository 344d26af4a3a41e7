"""Joint histograms of intensities and of labels."""

from __future__ import annotations

import numpy as np

from mrbench.metrics.kernels.compile import compiled


@compiled
def bin_of(value, edges):
    """Index of the bin that ``numpy.histogram`` would count a value in; beyond the edges, the first or last."""
    bins = len(edges) - 1
    if not value > edges[0]:
        return 0
    if value >= edges[bins]:
        return bins - 1
    index = min(int((value - edges[0]) * (bins / (edges[bins] - edges[0]))), bins - 1)
    if value < edges[index]:
        return index - 1
    return index + 1 if value >= edges[index + 1] else index


@compiled
def joint_counts(first, second, mask, edges):
    """Joint histogram of two lines of intensities, where ``mask`` is set; everywhere if it is empty."""
    bins = len(edges) - 1
    counts = np.zeros((bins, bins), np.int64)
    for j in range(len(first)):
        if mask.size == 0 or mask[j]:
            counts[bin_of(np.float64(first[j]), edges), bin_of(np.float64(second[j]), edges)] += 1
    return counts


@compiled
def bin_values(values, edges, out):
    for j in range(len(values)):
        out[j] = bin_of(np.float64(values[j]), edges)


@compiled
def shifted_counts(first, second, mask, shift, bins):
    """Joint histogram of binned volumes in ``mask``, the second rolled by ``shift`` voxels."""
    counts = np.zeros((bins, bins), np.int64)
    slices, rows, columns = first.shape
    start = shift[2] % columns
    for z in range(slices):
        for y in range(rows):
            a, m = first[z, y], mask[z, y]
            b = second[(z - shift[0]) % slices, (y - shift[1]) % rows]
            for x in range(start):
                if m[x]:
                    counts[a[x], b[columns - start + x]] += 1
            for x in range(start, columns):
                if m[x]:
                    counts[a[x], b[x - start]] += 1
    return counts


@compiled
def mark_present(labels, seen):
    for j in range(len(labels)):
        seen[labels[j]] = 1


@compiled
def renumber(labels, lookup, out):
    for j in range(len(labels)):
        out[j] = lookup[labels[j]]


@compiled
def label_counts(target, prediction, lookup, size):
    """Joint histogram of two lines of labels, which ``lookup`` numbers below ``size``."""
    counts = np.zeros((size, size), np.int64)
    for j in range(len(target)):
        counts[lookup[target[j]], lookup[prediction[j]]] += 1
    return counts
