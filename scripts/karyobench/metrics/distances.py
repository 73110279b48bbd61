"""Compiled exact distances between the pixels of objects, each on its bounding box.

Squared Euclidean distances by two sweeps, linear in the pixels (Felzenszwalb and Huttenlocher, Theory of Computing 8,
2012): down and up each column, then along each row over the lower envelope of one parabola per column. Features and
queries lie in boxes of their own, so that two objects far apart cost no more than two that touch.

`truth`, `predicted` and such are `boxes.Objects` where pairs of objects are measured.

The compiled code is kept where `cli.keep_compiled_code` says, or in NUMBA_CACHE_DIR.
"""

import numpy as np
from numba import njit

_FAR = 1 << 28
_PATIENCE = 4

_compiled = njit(cache=True, nogil=True)


@_compiled
def find_edges(mask):
    """Bool (h, w): pixels of a mask with one of four neighbours outside it or outside the array."""
    pixels, edges = mask.view(np.uint8), mask.copy().view(np.uint8)
    for row in range(1, len(mask) - 1):
        above, own, below, found = pixels[row - 1], pixels[row], pixels[row + 1], edges[row]
        for column in range(1, own.size - 1):
            inner = above[column] & below[column] & own[column - 1] & own[column + 1]
            found[column] = own[column] & (inner ^ np.uint8(1))
    return edges.view(np.bool_)


@_compiled
def squared_distances(features, queries, top, left):
    """int64 (q,): squared distance from each query pixel, row by row, to the nearest feature pixel; one there must be.

    features: bool (h, w). queries: bool, of any shape. top, left: where features[0, 0] lies in the array of queries.
    """
    columns = np.empty(features.shape, np.int32)
    sweep_columns(features, 0, features.shape[1], columns)
    return sweep_rows(columns, queries, top, left, 0, queries.shape[0])


@_compiled
def sweep_columns(features, first, last, columns):
    """Write each pixel's distance to the nearest feature of its column, for columns first..last."""
    for row in range(len(columns)):
        own, feature = columns[row, first:last], features[row, first:last]
        before = own if row == 0 else columns[row - 1, first:last]
        for i in range(own.size):
            passed = np.int32(_FAR) if row == 0 else before[i] + np.int32(1)
            own[i] = np.int32(0) if feature[i] else passed
    for row in range(len(columns) - 2, -1, -1):
        own, before = columns[row, first:last], columns[row + 1, first:last]
        for i in range(own.size):
            own[i] = min(own[i], before[i] + np.int32(1))


@_compiled
def sweep_rows(columns, queries, top, left, first, last):
    """Squared distances of the queries in rows first..last, from the distances within columns."""
    height, width = columns.shape
    found, used = np.empty(queries[first:last].sum(), np.int64), 0
    centres, heights, borders = np.empty(width, np.int64), np.empty(width, np.int64), np.empty(width, np.float64)
    for row in range(first, last):
        asked = queries[row].sum()
        if asked:
            # Above and below their box the features of a column are as many rows farther away.
            inside = min(max(row - top, 0), height - 1)
            beyond, here = abs(row - top - inside), found[used : used + asked]
            if not _look_around(columns[inside], beyond, queries[row], left, here):
                count = _envelope(columns[inside], beyond, centres, heights, borders)
                _sample(queries[row], left, count, centres, heights, borders, here)
            used += asked
    return found


@_compiled
def _look_around(columns, beyond, queries, left, found):
    """Write the squared distances of a row by looking left and right of each query; false if that takes too long.

    Where features are near, as between maps that agree, this takes a fraction of the envelope's time.
    """
    used, steps = 0, _PATIENCE * (columns.size + queries.size)
    for column in range(queries.size):
        if queries[column]:
            place = column - left
            if not 0 <= place < columns.size:
                return False
            nearest, step = (np.int64(columns[place]) + beyond) ** 2, 1
            while step * step < nearest and step < columns.size:
                if place >= step:
                    nearest = min(nearest, (np.int64(columns[place - step]) + beyond) ** 2 + step * step)
                if place + step < columns.size:
                    nearest = min(nearest, (np.int64(columns[place + step]) + beyond) ** 2 + step * step)
                step += 1
            found[used] = nearest
            used += 1
            steps -= step
            if steps < 0:
                return False
    return True


@_compiled
def _envelope(columns, beyond, centres, heights, borders):
    """Parabolas of the lower envelope, from left to right, and where each begins; returns how many there are."""
    count = 0
    for centre in range(columns.size):
        if columns[centre] < _FAR:
            height, border = (np.int64(columns[centre]) + beyond) ** 2, -np.inf
            while count:
                other = centres[count - 1]
                rise = height + centre * centre - heights[count - 1] - other * other
                border = rise / (2 * (centre - other))
                if border > borders[count - 1]:
                    break
                count -= 1
                border = -np.inf
            centres[count], heights[count], borders[count] = centre, height, border
            count += 1
    return count


@_compiled
def _sample(queries, left, count, centres, heights, borders, found):
    """Write the envelope's value at each query of a row."""
    at, used = 0, 0
    for column in range(queries.size):
        if queries[column]:
            place = column - left
            while at + 1 < count and borders[at + 1] < place:
                at += 1
            found[used] = (place - centres[at]) ** 2 + heights[at]
            used += 1


@_compiled
def surface_distances(truth, predicted, pairs):
    """float64 (K, 3) of pairs of objects: mean over both boundaries, mean of the two means, 95% Hausdorff distance.

    pairs: int64 (K, 2), numbers of a truth and a predicted object.
    """
    found = np.empty((len(pairs), 3))
    for k in range(len(pairs)):
        true, pred = pairs[k]
        top, left = predicted.boxes[pred, :2] - truth.boxes[true, :2]
        a, b = find_edges(_mask(truth, true)), find_edges(_mask(predicted, pred))
        to_truth = np.sqrt(squared_distances(a, b, -top, -left))
        to_predicted = np.sqrt(squared_distances(b, a, top, left))
        found[k, 0] = (to_truth.sum() + to_predicted.sum()) / (to_truth.size + to_predicted.size)
        found[k, 1] = (to_truth.mean() + to_predicted.mean()) / 2
        found[k, 2] = max(_upper(to_truth), _upper(to_predicted))
    return found


@_compiled
def _upper(values):
    """The 95% percentile, as numpy interpolates it, whose own takes seconds to compile."""
    values, place = np.sort(values), 0.95 * (values.size - 1)
    low = int(place)
    high = min(low + 1, values.size - 1)
    return values[low] + (place - low) * (values[high] - values[low])


@_compiled
def hausdorff_distances(truth, predicted, pairs):
    """float64 (K,): symmetric Hausdorff distance between the pixels of each pair of objects."""
    found = np.empty(len(pairs))
    for k in range(len(pairs)):
        found[k] = _hausdorff(truth, predicted, pairs[k, 0], pairs[k, 1])
    return found


@_compiled
def nearest_hausdorff_distances(lonely, others, numbers):
    """float64 (K,): least Hausdorff distance from each object of `numbers` to any object of the other map.

    Objects whose boxes differ by a side of n pixels are n pixels apart at least, so few of them need measuring.
    """
    found = np.full(len(numbers), np.inf)
    for k in range(len(numbers)):
        bounds = np.zeros(len(others.boxes))
        for side in range(4):
            bounds = np.maximum(bounds, np.abs(others.boxes[:, side] - lonely.boxes[numbers[k], side]))
        nearest = bounds.argmin()
        while bounds[nearest] < found[k]:
            found[k] = min(found[k], _hausdorff(lonely, others, numbers[k], nearest))
            bounds[nearest] = np.inf
            nearest = bounds.argmin()
    return found


@_compiled
def _hausdorff(truth, predicted, true, pred):
    a, b = _mask(truth, true), _mask(predicted, pred)
    top, left = predicted.boxes[pred, :2] - truth.boxes[true, :2]
    return np.sqrt(max(squared_distances(a, b, -top, -left).max(), squared_distances(b, a, top, left).max()))


@_compiled
def _mask(objects, number):
    """Bool (h, w): the object on its box."""
    top, left, bottom, right = objects.boxes[number]
    return objects.labels[top:bottom, left:right] == objects.known[number]


@_compiled
def mismatch_distances(truth, predicted, pairs):
    """float64 (K, 3): distances to the other side of the truth's border, summed over the pixels that only one of the
    objects has; summed over all pixels of either; and the greatest of the former (Coelho et al., ISBI 2009).

    Within the truth object the other side is any pixel of the map that is not in it.
    """
    found = np.zeros((len(pairs), 3))
    for k in range(len(pairs)):
        true, pred = pairs[k]
        _add_mismatches(truth, predicted, true, pred, found[k])
    return found


@_compiled
def _add_mismatches(truth, predicted, true, pred, found):
    (height, width), (top, left, bottom, right) = truth.labels.shape, truth.boxes[true]
    top, left, bottom, right = max(top - 1, 0), max(left - 1, 0), min(bottom + 1, height), min(right + 1, width)
    inside = truth.labels[top:bottom, left:right] == truth.known[true]
    alone = predicted.labels[top:bottom, left:right] != predicted.known[pred]
    if inside.all():
        # The object fills the map: every distance is as undefined as the next, and their ratio is not.
        _add(np.full(inside.size, height**2 + width**2), inside, alone, found)
    else:
        _add(squared_distances(~inside, inside, 0, 0), inside, alone, found)
    row, column, lower, righter = predicted.boxes[pred]
    outside = _mask(predicted, pred) & (truth.labels[row:lower, column:righter] != truth.known[true])
    _add(squared_distances(inside, outside, top - row, left - column), outside, outside, found)


@_compiled
def _add(squares, pixels, mismatches, found):
    at = 0
    for row in range(pixels.shape[0]):
        for column in range(pixels.shape[1]):
            if pixels[row, column]:
                distance = np.sqrt(squares[at])
                at += 1
                found[1] += distance
                if mismatches[row, column]:
                    found[0] += distance
                    found[2] = max(found[2], distance)
