"""Matches by the size of objects, from which scores of small and large objects are computed apart."""

import numpy as np

from karyobench.metrics.contingency import Contingency
from karyobench.metrics.formulas import AREAS
from karyobench.metrics.objects import passing


def area_counts(table: Contingency) -> dict[str, int]:
    """Objects matched with IoU above one half and missed, by the area of the truth object, and false, by their own.

    Columns area_{least}_tp, _fn and _fp, `least` of AREAS being the lower end of the class in pixels.
    """
    pairs, matched = table.overlaps, passing(table.overlaps, 0.5)
    found, right = np.zeros(table.n_true + 1, bool), np.zeros(table.n_pred + 1, bool)
    found[pairs.truth[matched]], right[pairs.predicted[matched]] = True, True
    truth, predicted = table.truth_areas[1:], table.predicted_areas[1:]
    kinds = {"tp": truth[found[1:]], "fn": truth[~found[1:]], "fp": predicted[~right[1:]]}
    counts = {name: np.bincount(np.digitize(areas, AREAS), minlength=len(AREAS) + 1) for name, areas in kinds.items()}
    return {f"area_{least}_{name}": int(counts[name][at]) for at, least in enumerate(AREAS, 1) for name in kinds}
