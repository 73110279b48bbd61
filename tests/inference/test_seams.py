"""The border rule against a pixel-by-pixel twin, worked seams, and maps that must come back."""

import io
import itertools
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.errors import KaryobenchError
from karyobench.inference.seams import relabel, unite


def boxes(rows, columns):
    """All boxes of the grid with these line positions, ends included."""
    return [(r0, c0, r1, c1) for r0, r1 in itertools.pairwise(rows) for c0, c1 in itertools.pairwise(columns)]


def cut(labels, rows, columns):
    return [((r0, c0, r1, c1), labels[r0:r1, c0:c1]) for r0, c0, r1, c1 in boxes(rows, columns)]


def lines(length, step):
    return [*range(0, length, step), length]


def slow_unite(tiles, height, width, min_edge):
    """The rule as it reads, one pixel and one pair at a time."""
    nucleus = {}
    for number, ((r0, c0, r1, c1), labels) in enumerate(tiles):
        seen = []
        for r, c in itertools.product(range(r1 - r0), range(c1 - c0)):
            value = labels[r, c]
            if value:
                if value not in seen:
                    seen.append(value)
                nucleus[r0 + r, c0 + c] = (number, seen.index(value))
    columns = sorted({box[1] for box, _ in tiles} - {0})
    rows = sorted({box[0] for box, _ in tiles} - {0})
    seams = [[((r, c - 1), (r, c)) for r in range(height)] for c in columns]
    seams += [[((r - 1, c), (r, c)) for c in range(width)] for r in rows]
    for seam in seams:
        edges = {}
        for here, there in seam:
            if here in nucleus and there in nucleus:
                pair = tuple(sorted((nucleus[here], nucleus[there])))
                edges[pair] = edges.get(pair, 0) + 1
        while edges:
            sizes = {p: sum(n in p for n in nucleus.values()) for p in edges}
            best = min(edges, key=lambda p: (-edges[p], -sizes[p], p))
            if edges[best] < min_edge:
                break
            nucleus = {at: best[0] if n == best[1] else n for at, n in nucleus.items()}
            edges = {p: n for p, n in edges.items() if not set(p) & set(best)}
    result = np.zeros((height, width), np.int32)
    numbers = {}
    for at in sorted(nucleus):
        result[at] = numbers.setdefault(nucleus[at], len(numbers) + 1)
    return result


@st.composite
def cut_maps(draw):
    """Tiles with unrelated labels on a grid of any spacing."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rows = [0, *sorted(draw(st.sets(st.integers(1, 8), max_size=3)) & set(range(1, height))), height]
    columns = [0, *sorted(draw(st.sets(st.integers(1, 8), max_size=3)) & set(range(1, width))), width]
    values = st.sampled_from([0, 1, 1, 2, 7])
    tiles = [(b, draw(hnp.arrays(np.int32, (b[2] - b[0], b[3] - b[1]), elements=values))) for b in boxes(rows, columns)]
    return tiles, height, width


@settings(max_examples=300, deadline=None)
@given(cut_maps(), st.integers(1, 4))
def test_equals_the_slow_twin(made, min_edge):
    tiles, height, width = made
    united = unite(tiles, height, width, min_edge)
    assert united.dtype == np.int32
    assert np.array_equal(united, slow_unite(tiles, height, width, min_edge))


@settings(max_examples=100, deadline=None)
@given(cut_maps(), st.randoms(use_true_random=False))
def test_labels_within_a_tile_mean_nothing(made, random):
    tiles, height, width = made
    renamed = []
    for box, labels in tiles:
        names = random.sample(range(1, 2**31 - 1), 8)
        renamed.append((box, np.where(labels > 0, np.array(names)[labels], 0)))
    assert np.array_equal(unite(tiles, height, width, 1), unite(renamed, height, width, 1))


@st.composite
def separate_rectangles(draw):
    """A map of rectangles, one in each cell of a lattice, at least one pixel apart."""
    cells_down, cells_across, pitch = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(3, 13))
    labels = np.zeros((cells_down * pitch, cells_across * pitch), np.int32)
    for number, (i, j) in enumerate(itertools.product(range(cells_down), range(cells_across)), 1):
        if draw(st.booleans()):
            top, left = draw(st.integers(0, pitch - 2)), draw(st.integers(0, pitch - 2))
            bottom, right = draw(st.integers(top + 1, pitch - 1)), draw(st.integers(left + 1, pitch - 1))
            labels[i * pitch + top : i * pitch + bottom, j * pitch + left : j * pitch + right] = number
    return labels


def shortest_edge(labels, step):
    """Least number of rows, or columns, by which two tiles of side `step` share a rectangle."""
    edges = [min(labels.shape)]
    for label in np.unique(labels[labels > 0]):
        rows, columns = np.nonzero((labels == label).any(1))[0], np.nonzero((labels == label).any(0))[0]
        for along, across in ((rows, columns), (columns, rows)):
            if across[0] // step != across[-1] // step:
                edges += np.unique(along // step, return_counts=True)[1].tolist()
    return min(edges)


@settings(max_examples=200, deadline=None)
@given(separate_rectangles(), st.integers(1, 40))
def test_separate_rectangles_come_back_for_any_tile_size(labels, step):
    height, width = labels.shape
    tiles = cut(labels, lines(height, step), lines(width, step))
    united = unite(tiles, height, width, min_edge=shortest_edge(labels, step))
    assert np.array_equal(united, relabel(labels)[0])


def test_a_shorter_edge_than_min_edge_stays_cut():
    labels = np.zeros((6, 6), np.int32)
    labels[1:3, 1:5] = 1
    tiles = cut(labels, [0, 6], [0, 3, 6])
    assert unite(tiles, 6, 6, 3).max() == 2
    assert unite(tiles, 6, 6, 2).max() == 1


def test_the_longest_edge_of_a_seam_goes_first_and_both_leave():
    left = np.array([[1], [1], [1], [2], [2]])
    right = np.array([[1], [2], [2], [2], [2]])
    # Edges: 1-1 one pixel, 1-2 two, 2-2 two. The tie goes to the larger joint area, 1-2 (3 + 4 against 2 + 4);
    # then left 2 finds nobody, and right 1 finds left 1 taken.
    united = unite([((0, 0, 5, 1), left), ((0, 1, 5, 2), right)], 5, 2, 1)
    assert united.tolist() == [[1, 2], [1, 1], [1, 1], [3, 1], [3, 1]]


def test_equal_edges_and_areas_go_to_the_smaller_labels():
    left = np.array([[1], [1], [2], [2]])
    right = np.array([[0], [5], [5], [0]])
    united = unite([((0, 0, 4, 1), left), ((0, 1, 4, 2), right)], 4, 2, 1)
    assert united.tolist() == [[1, 0], [1, 1], [2, 1], [2, 0]]


def test_a_nucleus_is_united_once_per_seam_but_at_each_of_its_seams():
    whole = np.ones((4, 9), np.int32)
    tiles = cut(whole, [0, 4], [0, 3, 6, 9])
    assert unite(tiles, 4, 9, 1).max() == 1
    two_above = np.array([[1, 1, 1, 0, 2, 2, 2, 2]])
    one_below = np.ones((1, 8), np.int32)
    united = unite([((0, 0, 1, 8), two_above), ((1, 0, 2, 8), one_below)], 2, 8, 3)
    assert united.tolist() == [[1, 1, 1, 0, 2, 2, 2, 2], [2] * 8]


def test_vertical_seams_come_before_horizontal_ones():
    # The two upper pieces become one first, which then takes the lower right piece (3 px) and leaves the lower left
    # one. Horizontal seams first would have made two pairs, and the vertical seam one nucleus of all four.
    labels = np.array([[0, 0, 1, 1, 1, 1, 1, 0], [0, 0, 1, 0, 1, 1, 1, 0]])
    united = unite(cut(labels, [0, 1, 2], [0, 4, 8]), 2, 8, 1)
    assert united.tolist() == [[0, 0, 1, 1, 1, 1, 1, 0], [0, 0, 2, 0, 1, 1, 1, 0]]


@settings(max_examples=100, deadline=None)
@given(cut_maps())
def test_without_an_edge_tiles_stay_apart(made):
    tiles, height, width = made
    apart = unite(tiles, height, width, None)
    assert apart.max() == sum(len(np.unique(labels[labels > 0])) for _, labels in tiles)
    assert np.array_equal(apart, unite(tiles, height, width, max(height, width) + 1))


@settings(max_examples=200, deadline=None)
@given(cut_maps(), st.integers(1, 3))
def test_every_pair_is_united_where_that_is_asked(made, min_edge):
    tiles, height, width = made
    assert np.array_equal(
        unite(tiles, height, width, min_edge, every=True), slow_unite_every(tiles, height, width, min_edge)
    )


def slow_unite_every(tiles, height, width, min_edge):
    """All pairs that share enough pixels across a seam made one, pair by pair."""
    united = unite(tiles, height, width, None)
    inner = [({b[k] for b, _ in tiles} - {0}) for k in (0, 1)]
    across = [((r, c - 1), (r, c)) for c in inner[1] for r in range(height)]
    across += [((r - 1, c), (r, c)) for r in inner[0] for c in range(width)]
    pairs = [frozenset((int(united[a]), int(united[b]))) for a, b in across if united[a] and united[b]]
    group = {label: {label} for label in range(united.max() + 1)}
    for pair in {pair for pair in pairs if pairs.count(pair) >= min_edge}:
        together = set().union(*(group[label] for label in pair))
        group.update(dict.fromkeys(together, together))
    return relabel(np.array([min(group[label]) for label in range(len(group))])[united])[0]


@pytest.mark.parametrize("step", [4, 5, 7, 30])
def test_an_object_over_four_tiles_and_one_larger_than_a_tile(step):
    labels = np.zeros((20, 20), np.int32)
    labels[1:17, 2:18] = 9
    labels[18, 19] = 4
    united = unite(cut(labels, lines(20, step), lines(20, step)), 20, 20, 1)
    assert np.array_equal(united, relabel(labels)[0])


def test_empty_tiles_and_single_pixels():
    labels = np.zeros((6, 6), np.int32)
    assert unite(cut(labels, [0, 3, 6], [0, 3, 6]), 6, 6, 1).max() == 0
    labels[0, 0], labels[2, 3], labels[5, 5] = 3, 2, 1
    united = unite(cut(labels, [0, 3, 6], [0, 3, 6]), 6, 6, 1)
    assert (united[0, 0], united[2, 3], united[5, 5], united.max()) == (1, 2, 3, 3)


def test_overlapping_tiles_are_refused():
    tile = np.zeros((4, 4), np.int32)
    with pytest.raises(KaryobenchError, match="must not overlap"):
        unite([((0, 0, 4, 4), tile), ((0, 3, 4, 7), tile)], 4, 7, 1)


def test_a_missing_tile_is_refused():
    tiles = cut(np.zeros((6, 6), np.int32), [0, 3, 6], [0, 3, 6])
    with pytest.raises(KaryobenchError, match="3 tiles are not a grid that covers an image of 6x6"):
        unite(tiles[:-1], 6, 6, 1)
    with pytest.raises(KaryobenchError, match="not a grid"):
        unite(tiles, 6, 7, 1)


@given(
    hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.sampled_from([0, 3, 5, 9]))
)
def test_relabel_numbers_in_raster_order(labels):
    numbered, area = relabel(labels)
    order = list(dict.fromkeys(labels[labels > 0].tolist()))
    assert np.array_equal(numbered > 0, labels > 0)
    assert [(labels == value).sum() for value in order] == area[1:].tolist()
    for number, value in enumerate(order, 1):
        assert np.array_equal(numbered == number, labels == value)
    assert area[0] == 0


@pytest.fixture(scope="module")
def nest(mirror):
    """Instance map of a real H&E field, 1294 nuclei, many of them touching."""
    with zipfile.ZipFile(mirror / "misc" / "pypi_samples.zip") as archive:
        return np.load(io.BytesIO(archive.read("histolytics/hgsc_nest_inst_mask.npz")))["nuc_raster"]


@pytest.mark.parametrize("step", [64, 250, 500])
def test_real_nuclei_come_back_through_tiles(nest, step):
    tiles = cut(nest, lines(1500, step), lines(1500, step))
    assert np.array_equal(unite(tiles, 1500, 1500, 1), relabel(nest)[0])


def test_real_nuclei_lost_to_min_edge(nest):
    # Two nuclei are only grazed by a seam: their cut is shorter than 3 px, and each leaves a splinter. None are fused.
    united = unite(cut(nest, lines(1500, 250), lines(1500, 250)), 1500, 1500, 3)
    before, after = np.divmod(np.unique(nest[nest > 0].astype(np.int64) * 10_000 + united[nest > 0]), 10_000)
    pieces = np.bincount(before)[1:]
    assert (np.sum(pieces == 1), np.sum(pieces == 2), len(pieces)) == (1292, 2, 1294)
    assert np.bincount(after)[1:].tolist() == [1] * 1296
