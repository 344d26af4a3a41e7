"""Displacement fields: warping, Jacobian and folded volume, rounded step by step as numpy rounds them."""

from __future__ import annotations

import numpy as np

from mrbench.metrics.kernels.compile import compiled, compiled_sum

TETRAHEDRA = np.array(
    [[corner, corner ^ 4, corner ^ 2, corner ^ 1] for corner in range(8)] + [[0, 3, 5, 6], [1, 2, 4, 7]]
)
"""Corners of a cell's ten tetrahedra; bits 2, 1, 0 of a corner are its steps along z, y, x."""

ORIENTATIONS = np.array([1, -1, -1, 1, -1, 1, 1, -1, 1, -1], np.float32)
"""Sign of each tetrahedron's volume where nothing is deformed."""


@compiled
def warp_nearest(moving, displacement, out):
    slices, rows, columns = moving.shape
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            us, vs, ws, line = displacement[0, z, y], displacement[1, z, y], displacement[2, z, y], out[z, y]
            for x in range(len(line)):
                a, b, c = np.float32(z) + us[x], np.float32(y) + vs[x], np.float32(x) + ws[x]
                if 0 <= a <= slices - 1 and 0 <= b <= rows - 1 and 0 <= c <= columns - 1:
                    line[x] = moving[int(np.float64(a) + 0.5), int(np.float64(b) + 0.5), int(np.float64(c) + 0.5)]
                else:
                    line[x] = 0


@compiled
def warp_linear(moving, displacement, out):
    slices, rows, columns = moving.shape
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            us, vs, ws, line = displacement[0, z, y], displacement[1, z, y], displacement[2, z, y], out[z, y]
            for x in range(len(line)):
                a = np.float64(np.float32(z) + us[x])
                b = np.float64(np.float32(y) + vs[x])
                c = np.float64(np.float32(x) + ws[x])
                if not (0 <= a <= slices - 1 and 0 <= b <= rows - 1 and 0 <= c <= columns - 1):
                    line[x] = 0
                    continue
                i, j, k = int(a), int(b), int(c)
                # on the last voxel the weight of what lies beyond is 0
                i1, j1, k1 = min(i + 1, slices - 1), min(j + 1, rows - 1), min(k + 1, columns - 1)
                f, g, h = a - i, b - j, c - k
                value = moving[i, j, k] * (1 - f) * (1 - g) * (1 - h)
                value += moving[i, j, k1] * (1 - f) * (1 - g) * h
                value += moving[i, j1, k] * (1 - f) * g * (1 - h)
                value += moving[i, j1, k1] * (1 - f) * g * h
                value += moving[i1, j, k] * f * (1 - g) * (1 - h)
                value += moving[i1, j, k1] * f * (1 - g) * h
                value += moving[i1, j1, k] * f * g * (1 - h)
                value += moving[i1, j1, k1] * f * g * h
                line[x] = value


@compiled
def compose_linear(outer, inner, out):
    """``inner(p) + outer(p + inner(p))``, linear; positions outside take the value of the nearest border."""
    slices, rows, columns = outer.shape[1:]
    for z in range(out.shape[1]):
        for y in range(out.shape[2]):
            us, vs, ws = inner[0, z, y], inner[1, z, y], inner[2, z, y]
            for x in range(out.shape[3]):
                a = min(max(np.float64(np.float32(z) + us[x]), 0.0), slices - 1.0)
                b = min(max(np.float64(np.float32(y) + vs[x]), 0.0), rows - 1.0)
                c = min(max(np.float64(np.float32(x) + ws[x]), 0.0), columns - 1.0)
                i, j, k = int(a), int(b), int(c)
                i1, j1, k1 = min(i + 1, slices - 1), min(j + 1, rows - 1), min(k + 1, columns - 1)
                f, g, h = a - i, b - j, c - k
                for m in range(3):
                    value = outer[m, i, j, k] * (1 - f) * (1 - g) * (1 - h)
                    value += outer[m, i, j, k1] * (1 - f) * (1 - g) * h
                    value += outer[m, i, j1, k] * (1 - f) * g * (1 - h)
                    value += outer[m, i, j1, k1] * (1 - f) * g * h
                    value += outer[m, i1, j, k] * f * (1 - g) * (1 - h)
                    value += outer[m, i1, j, k1] * f * (1 - g) * h
                    value += outer[m, i1, j1, k] * f * g * (1 - h)
                    value += outer[m, i1, j1, k1] * f * g * h
                    out[m, z, y, x] = inner[m, z, y, x] + np.float32(value)


@compiled
def differences(ahead, behind, scale, added, out):
    for x in range(len(out)):
        out[x] = (ahead[x] - behind[x]) * scale + added


@compiled
def add_product(sign, a, b, c, d, e, out):
    """Add ``sign a (b c - d e)``. Short loops over few lines: LLVM fits them to vector registers, longer ones not."""
    for x in range(len(out)):
        out[x] += sign * (a[x] * (b[x] * c[x] - d[x] * e[x]))


@compiled
def determinant_row(u, z, y, m, out):
    """Jacobian determinant of ``p + u(p)`` along a row: central differences, one-sided at borders; ``m`` is scratch."""
    slices, rows, columns = u.shape[1:]
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    before, after = max(z - 1, 0), min(z + 1, slices - 1)
    above, below = max(y - 1, 0), min(y + 1, rows - 1)
    for i in range(3):
        differences(
            u[i, after, y], u[i, before, y], half if after - before == 2 else one, one if i == 0 else zero, m[i, 0]
        )
        differences(
            u[i, z, below], u[i, z, above], half if below - above == 2 else one, one if i == 1 else zero, m[i, 1]
        )
        row, line, added = u[i, z, y], m[i, 2], one if i == 2 else zero
        differences(row[2:], row[:-2], half, added, line[1:-1])
        line[0] = row[1] - row[0] + added
        line[columns - 1] = row[columns - 1] - row[columns - 2] + added
    for x in range(columns):
        out[x] = 0
    add_product(one, m[0, 0], m[1, 1], m[2, 2], m[1, 2], m[2, 1], out)
    add_product(-one, m[0, 1], m[1, 0], m[2, 2], m[1, 2], m[2, 0], out)
    add_product(one, m[0, 2], m[1, 0], m[2, 1], m[1, 1], m[2, 0], out)


@compiled
def determinants(displacement, scratch, out):
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            determinant_row(displacement, z, y, scratch, out[z, y])


@compiled
def determinants_inside(displacement, mask, scratch, line, out):
    """Determinants of the voxels of a mask, in the order of memory."""
    count = 0
    for z in range(mask.shape[0]):
        for y in range(mask.shape[1]):
            inside = mask[z, y]
            before = count
            for x in range(len(inside)):
                count += inside[x]
            if count == before:
                continue
            determinant_row(displacement, z, y, scratch, line)
            count = before
            for x in range(len(inside)):
                if inside[x]:
                    out[count] = line[x]
                    count += 1


@compiled
def positions(displacement, z, y, start, stop, out):
    """Where the corners of a row of cells lie, ``(corner, component, cell)``, from the row's own origin."""
    for corner in range(8):
        i, j, k = corner >> 2, (corner >> 1) & 1, corner & 1
        for component in range(3):
            step = np.float32((corner >> (2 - component)) & 1)
            source, line = displacement[component, z + i, y + j], out[corner, component]
            for x in range(stop - start):
                line[x] = source[start + x + k] + step


@compiled
def negative_volume(a0, a1, a2, b0, b1, b2, c0, c1, c2, d0, d1, d2, orientation):
    p0, p1, p2 = b0 - a0, b1 - a1, b2 - a2
    q0, q1, q2 = c0 - a0, c1 - a1, c2 - a2
    r0, r1, r2 = d0 - a0, d1 - a1, d2 - a2
    determinant = p0 * (q1 * r2 - q2 * r1) - p1 * (q0 * r2 - q2 * r0) + p2 * (q0 * r1 - q1 * r0)
    return -min(orientation * determinant / np.float32(6), np.float32(0))


@compiled_sum
def folded_row(a, b, c, d, orientation, inside):
    """Negative volume of one tetrahedron of each cell of a row; only the sum is in any order."""
    a0, a1, a2, b0, b1, b2 = a[0], a[1], a[2], b[0], b[1], b[2]
    c0, c1, c2, d0, d1, d2 = c[0], c[1], c[2], d[0], d[1], d[2]
    result = 0.0
    for x in range(len(inside)):
        volume = np.float64(
            negative_volume(
                a0[x], a1[x], a2[x], b0[x], b1[x], b2[x], c0[x], c1[x], c2[x], d0[x], d1[x], d2[x], orientation
            )
        )
        result += volume if inside[x] else 0.0
    return result


@compiled
def folded_volume(displacement, mask, tetrahedra, orientations, corners):
    """Summed negative volume of all tetrahedra of the cells whose first corner is in the mask, in voxels."""
    result = 0.0
    slices, rows, columns = mask.shape
    for z in range(slices - 1):
        for y in range(rows - 1):
            inside = mask[z, y]
            start, stop = columns, 0
            for x in range(columns - 1):
                if inside[x]:
                    start, stop = min(start, x), x + 1
            if start >= stop:
                continue
            positions(displacement, z, y, start, stop, corners)
            for t in range(len(tetrahedra)):
                a, b, c, d = tetrahedra[t, 0], tetrahedra[t, 1], tetrahedra[t, 2], tetrahedra[t, 3]
                result += folded_row(
                    corners[a], corners[b], corners[c], corners[d], orientations[t], inside[start:stop]
                )
    return result


@compiled
def summed_distance(target, prediction, mask, spacing):
    """Sum of the distances between where two fields send the voxels of a mask, and their number."""
    result, count = 0.0, 0
    for z in range(mask.shape[0]):
        for y in range(mask.shape[1]):
            inside = mask[z, y]
            for x in range(len(inside)):
                if inside[x]:
                    a = (prediction[0, z, y, x] - target[0, z, y, x]) * spacing[0]
                    b = (prediction[1, z, y, x] - target[1, z, y, x]) * spacing[1]
                    c = (prediction[2, z, y, x] - target[2, z, y, x]) * spacing[2]
                    result += np.sqrt(a * a + b * b + c * c)
                    count += 1
    return result, count


@compiled
def warp_labels(labels, displacement, out):
    """Each voxel's label of most weight among the eight around where the field points; beyond the rim is label 0."""
    slices, rows, columns = labels.shape
    names, weights = np.zeros(8, np.int64), np.zeros(8, np.float64)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                a, b, c = z + displacement[0, z, y, x], y + displacement[1, z, y, x], x + displacement[2, z, y, x]
                if not (-1 < a < slices and -1 < b < rows and -1 < c < columns):
                    out[z, y, x] = 0
                    continue
                i, j, k = int(np.floor(a)), int(np.floor(b)), int(np.floor(c))
                f, g, h = a - i, b - j, c - k
                known = 0
                for corner in range(8):
                    u, v, w = i + (corner >> 2), j + ((corner >> 1) & 1), k + (corner & 1)
                    weight = f if corner & 4 else 1 - f
                    weight *= g if corner & 2 else 1 - g
                    weight *= h if corner & 1 else 1 - h
                    if weight == 0 or not (0 <= u < slices and 0 <= v < rows and 0 <= w < columns):
                        continue
                    name = labels[u, v, w]
                    place = 0
                    while place < known and names[place] != name:
                        place += 1
                    if place == known:
                        names[place], weights[place] = name, 0.0
                        known += 1
                    weights[place] += weight
                best, most = 0, 0.0
                for place in range(known):
                    if weights[place] > most or (weights[place] == most and names[place] < best):
                        best, most = names[place], weights[place]
                out[z, y, x] = best
