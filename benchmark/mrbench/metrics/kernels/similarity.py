"""SSIM and squared errors in one pass: window sums that slide, in double precision.

Four sums are enough: of x, of y, of x² + y², and of xy. Beyond a border images are mirrored, as scipy's ``reflect``.
"""

from __future__ import annotations

import numpy as np

from mrbench.metrics.kernels.compile import compiled, compiled_sum

WINDOW = 7
RIM = WINDOW // 2

SIMILARITY, SIMILARITY_BY_SLICE, SIMILARITY_MASKED, ERROR, ENERGY, ERROR_MASKED = range(6)
"""Columns of `slice_sums`."""


@compiled
def mirrored(index, size):
    if index < 0:
        return -1 - index
    return 2 * size - 1 - index if index >= size else index


@compiled
def add_row(x, y, sums):
    for column in range(len(x)):
        a, b = np.float64(x[column]), np.float64(y[column])
        sums[0, RIM + column] += a
        sums[1, RIM + column] += b
        sums[2, RIM + column] += a * a + b * b
        sums[3, RIM + column] += a * b


@compiled
def exchange_row(x, y, old_x, old_y, sums):
    """Let one row into the window and another out of it."""
    for column in range(len(x)):
        a, b = np.float64(x[column]), np.float64(y[column])
        c, d = np.float64(old_x[column]), np.float64(old_y[column])
        sums[0, RIM + column] += a - c
        sums[1, RIM + column] += b - d
        sums[2, RIM + column] += (a * a + b * b) - (c * c + d * d)
        sums[3, RIM + column] += a * b - c * d


@compiled
def mirror_ends(sums):
    last = sums.shape[1] - RIM
    for k in range(4):
        for step in range(RIM):
            sums[k, RIM - 1 - step] = sums[k, RIM + step]
            sums[k, last + step] = sums[k, last - 1 - step]


@compiled
def add_neighbours(sums, window):
    """Sum seven columns of each of the four lines."""
    for k in range(4):
        line, out = sums[k], window[k]
        for j in range(len(out)):
            out[j] = (line[j] + line[j + 1]) + (line[j + 2] + line[j + 3]) + (line[j + 4] + line[j + 5]) + line[j + 6]


@compiled
def row_similarity(window, count, data_range, out):
    """SSIM of a row from the window sums over ``count`` voxels: sample covariance, K1 .01, K2 .03."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    share, sample = 1.0 / count, count / (count - 1.0)
    first, second, squares, products = window[0], window[1], window[2], window[3]
    for j in range(len(out)):
        mx, my = first[j] * share, second[j] * share
        mean_squares, mean_product = mx * mx + my * my, mx * my
        variances = sample * (squares[j] * share - mean_squares)
        covariance = sample * (products[j] * share - mean_product)
        out[j] = ((2 * mean_product + c1) * (2 * covariance + c2)) / ((mean_squares + c1) * (variances + c2))


@compiled
def row_similarities(window, count, data_range, other_range, out, other):
    """Write SSIM by two data ranges into ``out`` and ``other``; cheaper than `row_similarity` twice."""
    c1, c2, d1, d2 = (
        (0.01 * data_range) ** 2,
        (0.03 * data_range) ** 2,
        (0.01 * other_range) ** 2,
        (0.03 * other_range) ** 2,
    )
    share, sample = 1.0 / count, count / (count - 1.0)
    first, second, squares, products = window[0], window[1], window[2], window[3]
    for j in range(len(out)):
        mx, my = first[j] * share, second[j] * share
        mean_squares, mean_product = mx * mx + my * my, mx * my
        variances = sample * (squares[j] * share - mean_squares)
        covariance = sample * (products[j] * share - mean_product)
        out[j] = ((2 * mean_product + c1) * (2 * covariance + c2)) / ((mean_squares + c1) * (variances + c2))
        other[j] = ((2 * mean_product + d1) * (2 * covariance + d2)) / ((mean_squares + d1) * (variances + d2))


@compiled
def clear(lines):
    for k in range(lines.shape[0]):
        for j in range(lines.shape[1]):
            lines[k, j] = 0.0


@compiled
def copy(line, out):
    for j in range(len(line)):
        out[j] = line[j]


@compiled_sum
def total(values, start, stop):
    result = 0.0
    for j in range(start, stop):
        result += values[j]
    return result


@compiled_sum
def total_masked(values, mask):
    result = 0.0
    for j in range(len(values)):
        result += values[j] if mask[j] else 0.0
    return result


@compiled_sum
def error_sums(x, y):
    """Sums over a line: absolute error, squared error, squared target."""
    absolute, error, energy = 0.0, 0.0, 0.0
    for j in range(len(x)):
        a = np.float64(x[j])
        difference = a - np.float64(y[j])
        absolute += abs(difference)
        error += difference * difference
        energy += a * a
    return absolute, error, energy


@compiled_sum
def error_sums_masked(x, y, mask):
    """As `error_sums`, where the mask is set."""
    absolute, error, energy = 0.0, 0.0, 0.0
    for j in range(len(x)):
        a = np.float64(x[j]) if mask[j] else 0.0
        difference = a - np.float64(y[j]) if mask[j] else 0.0
        absolute += abs(difference)
        error += difference * difference
        energy += a * a
    return absolute, error, energy


@compiled
def slice_sums(target, prediction, mask, data_range, slice_ranges, similarity):
    """Sums over each slice ``(slice, 6)``; see the names of the columns above.

    ``mask``, ``slice_ranges`` and ``similarity``, into which the map is written, may be empty: what they ask for is
    then left out. SSIM is summed without the rim of 3 pixels, and in the mask with it.
    """
    slices, rows, columns = target.shape
    out = np.zeros((slices, 6))
    sums, window = np.empty((4, columns + 2 * RIM)), np.empty((4, columns))
    line, other = np.empty(columns), np.empty(columns)
    for s in range(slices):
        x, y = target[s], prediction[s]
        clear(sums)
        for row in range(-RIM, RIM):
            add_row(x[mirrored(row, rows)], y[mirrored(row, rows)], sums)
        for row in range(rows):
            new, old = mirrored(row + RIM, rows), mirrored(row - RIM - 1, rows)
            if row == 0:
                add_row(x[new], y[new], sums)
            else:
                exchange_row(x[new], y[new], x[old], y[old], sums)
            mirror_ends(sums)
            add_neighbours(sums, window)
            inside = RIM <= row < rows - RIM
            if slice_ranges.size and inside:
                row_similarities(window, WINDOW**2, data_range, slice_ranges[s], line, other)
                out[s, SIMILARITY_BY_SLICE] += total(other, RIM, columns - RIM)
            else:
                row_similarity(window, WINDOW**2, data_range, line)
            if inside:
                out[s, SIMILARITY] += total(line, RIM, columns - RIM)
            if similarity.size:
                copy(line, similarity[s, row])
            _, error, energy = error_sums(x[row], y[row])
            out[s, ERROR] += error
            out[s, ENERGY] += energy
            if mask.size:
                out[s, SIMILARITY_MASKED] += total_masked(line, mask[s, row])
                _, error, _ = error_sums_masked(x[row], y[row], mask[s, row])
                out[s, ERROR_MASKED] += error
    return out


@compiled
def add_plane(x, y, sign, planes):
    for row in range(x.shape[0]):
        xs, ys = x[row], y[row]
        s0, s1, s2, s3 = planes[0, row], planes[1, row], planes[2, row], planes[3, row]
        for column in range(len(xs)):
            a, b = np.float64(xs[column]), np.float64(ys[column])
            s0[column] += sign * a
            s1[column] += sign * b
            s2[column] += sign * (a * a + b * b)
            s3[column] += sign * (a * b)


@compiled
def add_line(line, sums, sign):
    for column in range(len(line)):
        sums[RIM + column] += sign * line[column]


@compiled
def volume_sums(target, prediction, mask, data_range, similarity):
    """Sum of the 3-D SSIM map without its rim, and in the mask with it; ``mask`` and ``similarity`` may be empty."""
    slices, rows, columns = target.shape
    inner, masked = 0.0, 0.0
    planes = np.zeros((4, rows, columns))
    sums, window, line = np.empty((4, columns + 2 * RIM)), np.empty((4, columns)), np.empty(columns)
    for s in range(-RIM, RIM):
        add_plane(target[mirrored(s, slices)], prediction[mirrored(s, slices)], 1.0, planes)
    for s in range(slices):
        new, old = mirrored(s + RIM, slices), mirrored(s - RIM - 1, slices)
        add_plane(target[new], prediction[new], 1.0, planes)
        if s > 0:
            add_plane(target[old], prediction[old], -1.0, planes)
        clear(sums)
        for row in range(-RIM, RIM):
            for k in range(4):
                add_line(planes[k, mirrored(row, rows)], sums[k], 1.0)
        for row in range(rows):
            new, old = mirrored(row + RIM, rows), mirrored(row - RIM - 1, rows)
            for k in range(4):
                add_line(planes[k, new], sums[k], 1.0)
                if row > 0:
                    add_line(planes[k, old], sums[k], -1.0)
            mirror_ends(sums)
            add_neighbours(sums, window)
            row_similarity(window, WINDOW**3, data_range, line)
            if RIM <= s < slices - RIM and RIM <= row < rows - RIM:
                inner += total(line, RIM, columns - RIM)
            if mask.size:
                masked += total_masked(line, mask[s, row])
            if similarity.size:
                copy(line, similarity[s, row])
    return inner, masked
