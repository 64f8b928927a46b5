"""A unit's decisions: by image, by both, and, where an image fails, by a name that is sure."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.labels.decisions import Decision
from lib.models.int8 import Probabilities
from lib.names.labeller import Labeller
from lib.names.named import Named
from lib.reasons import ItemError, Reason

# a store, a run file or a listing that is at fault, not the image: another night may have it
NEVER_BY_NAME = (Reason.FETCH_FAILED, Reason.CHANGED, Reason.OUTSIDE_STORE)


def decide_unit(
    labeller: Labeller,
    named: Named | None,
    errors: Sequence[ItemError | None],
    usable: Sequence[int],
    probabilities: Probabilities,
) -> pa.Table:
    """Decide on all items of a unit; each is a label or an error.

    Args:
        labeller: how.
        named: what the names of the n items say; None where the bundle uses none.
        errors: n, why an item's image failed, or None.
        usable: places of the k items whose image did not.
        probabilities: float32 [k, leaves], fused where a name says something.

    Returns:
        n rows, columns of `Decider.decide`, error and error_detail. A label by name alone keeps
        what became of its image in error_detail, behind its reason code.
    """
    says = None if named is None else named.says[np.asarray(usable, np.int64)]
    tables = [labeller.decide(probabilities, says)]
    place = np.full(len(errors), -1, np.int64)
    place[np.asarray(usable, np.int64)] = np.arange(len(usable))
    if named is not None and labeller.alone is not None:
        failed = np.array([e is not None and e.reason not in NEVER_BY_NAME for e in errors])
        tried = np.flatnonzero(failed & named.says)
        if len(tried):
            decided = labeller.alone.decide(named.probabilities[tried])
            sure = pc.not_equal(decided["decision"], Decision.REVIEW).to_numpy()
            tables.append(decided)
            place[tried[sure]] = len(usable) + np.flatnonzero(sure)
    rows = pa.concat_tables(tables).take(pa.array(place, mask=place < 0))
    details = [
        None if error is None else error.detail if row < 0 else f"{error} (labelled by its name)"
        for error, row in zip(errors, place, strict=True)
    ]
    codes = [
        str(error.reason) if error is not None and row < 0 else None
        for error, row in zip(errors, place, strict=True)
    ]
    kinds = pc.fill_null(rows["decision"], Decision.ERROR)
    rows = rows.set_column(rows.schema.get_field_index("decision"), "decision", kinds)
    rows = rows.append_column("error", pa.array(codes, pa.string()))
    return rows.append_column("error_detail", pa.array(details, pa.string()))
