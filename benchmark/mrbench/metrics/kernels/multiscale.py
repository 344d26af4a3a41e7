"""Multi-scale SSIM of pairs of images: Gaussian window of seven pixels, no padding, halved from scale to scale."""

from __future__ import annotations

import numpy as np

from mrbench.metrics.kernels.compile import compiled, compiled_sum

WINDOW = 7


@compiled
def blur_columns(x, y, row, taps, lines):
    """Weighted sums over the seven rows from ``row`` of x, y, x² + y² and xy."""
    for k in range(4):
        for j in range(x.shape[1]):
            lines[k, j] = 0.0
    for tap in range(WINDOW):
        a, b, weight = x[row + tap], y[row + tap], taps[tap]
        s0, s1, s2, s3 = lines[0], lines[1], lines[2], lines[3]
        for j in range(len(a)):
            s0[j] += weight * a[j]
            s1[j] += weight * b[j]
            s2[j] += weight * (a[j] * a[j] + b[j] * b[j])
            s3[j] += weight * (a[j] * b[j])


@compiled
def blur_line(line, taps, out):
    for j in range(len(out)):
        out[j] = (
            taps[3] * line[j + 3]
            + taps[0] * (line[j] + line[j + 6])
            + taps[1] * (line[j + 1] + line[j + 5])
            + taps[2] * (line[j + 2] + line[j + 4])
        )


@compiled_sum
def compare_row(means, c1, c2, columns):
    """Sums of SSIM and of its contrast and structure alone along a row."""
    first, second, squares, products = means[0], means[1], means[2], means[3]
    whole, contrast = 0.0, 0.0
    for j in range(columns):
        mean_squares, mean_product = first[j] * first[j] + second[j] * second[j], first[j] * second[j]
        structure = (2 * (products[j] - mean_product) + c2) / (squares[j] - mean_squares + c2)
        whole += structure * (2 * mean_product + c1) / (mean_squares + c1)
        contrast += structure
    return whole, contrast


@compiled
def halve(image):
    out = np.empty((image.shape[0] // 2, image.shape[1] // 2))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            above, below = (
                image[2 * i, 2 * j] + image[2 * i, 2 * j + 1],
                image[2 * i + 1, 2 * j] + image[2 * i + 1, 2 * j + 1],
            )
            out[i, j] = (above + below) / 4
    return out


@compiled
def ms_ssim(x, y, taps, weights, data_range):
    """Multi-scale SSIM of two images: contrast and structure of each scale, SSIM of the last, to their powers."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    result = 1.0
    for scale in range(len(weights)):
        rows, columns = x.shape[0] - WINDOW + 1, x.shape[1] - WINDOW + 1
        lines, means = np.empty((4, x.shape[1])), np.empty((4, columns))
        whole, contrast = 0.0, 0.0
        for row in range(rows):
            blur_columns(x, y, row, taps, lines)
            for k in range(4):
                blur_line(lines[k], taps, means[k])
            one, other = compare_row(means, c1, c2, columns)
            whole += one
            contrast += other
        mean = (whole if scale == len(weights) - 1 else contrast) / (rows * columns)
        result *= max(mean, 0.0) ** weights[scale]
        x, y = halve(x), halve(y)
    return result


@compiled
def pairs(images, order, taps, weights, data_range, out):
    for i in range(len(out)):
        out[i] = ms_ssim(images[i], images[order[i]], taps, weights, data_range)
