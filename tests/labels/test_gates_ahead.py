import random
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from lib.labels.gates import GatesConfig, Measured, measure_changes
from lib.labels.gates_ahead import Reach, measure_reach, reach_sentences, refused_ahead
from lib.sql import open_duckdb
from tests.labels.test_gates import KNOWN, ROW, known, row

IDS = pa.schema([("item_id", pa.string())])
NOTHING = Reach(rows=0, category_changes=(0, 0), mix_shift=(0, 0), row_loss=(0, 0))


class Night:
    """A table before, the items that are classified, and those that leave it."""

    def __init__(
        self, folder: Path, before: Mapping[str, str | None], removed: str, plan: str
    ) -> None:
        self.plan, self._folder = plan, folder
        self._write("before", [known(*each) for each in before.items()], KNOWN)
        self._write("plan", [{"item_id": each} for each in plan], IDS)
        self._write("removed", [{"item_id": each} for each in removed], IDS)
        new = sum(each not in before for each in plan)
        self._row_loss = max(len(removed) - new, 0) / max(len(before), 1)

    @property
    def reach(self) -> Reach:
        before, plan, removed = (self._file(name) for name in ("before", "plan", "removed"))
        with open_duckdb() as connection:
            return measure_reach(connection, before, plan, removed, self._row_loss)

    def measured(self, categories: Sequence[str | None]) -> Measured:
        """Measure the night where each planned item gets this category, or an error."""
        self._write("rows", [row(*each) for each in zip(self.plan, categories, strict=True)], ROW)
        rows, before, removed = (self._file(name) for name in ("rows", "before", "removed"))
        with open_duckdb() as connection:
            return measure_changes(connection, [rows], before, removed)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.parquet"

    def _write(self, name: str, rows: list[Any], schema: pa.Schema) -> None:
        parquet.write_table(pa.Table.from_pylist(rows, schema), self._file(name))


def within(measured: Measured, reach: Reach) -> bool:
    pairs = [(getattr(measured, each), getattr(reach, each)) for each in
             ("category_changes", "mix_shift", "row_loss")]  # fmt: skip
    return all(least - 1e-9 <= value <= most + 1e-9 for value, (least, most) in pairs)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_a_night_classifies_it_stays_within_its_reach(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311  # any tables will do
    before = {each: draw.choice(["x", "x", "y", None]) for each in "abcdefghij"}
    order = draw.sample("abcdefghij", 10)
    removed, again = order[: draw.randrange(6)], order[6 : 6 + draw.randrange(3)]
    night = Night(tmp_path, before, "".join(removed), "".join(again) + "1"[: draw.randrange(2)])

    reach = night.reach

    for categories in product(["x", "y", "z", None], repeat=len(night.plan)):
        assert within(night.measured(categories), reach), categories


def test_the_bounds_are_those_that_a_night_reaches_at_worst_and_at_best(tmp_path: Path) -> None:
    before = dict.fromkeys("abcde", "x") | dict.fromkeys("fghij", "y")
    night = Night(tmp_path, before, removed="abc", plan="d1")

    reach = night.reach

    outcomes = [night.measured(each) for each in product("xyz", repeat=2)]
    changes = [each.category_changes for each in outcomes]
    shifts = [each.mix_shift for each in outcomes]
    assert list(reach.category_changes) == pytest.approx([min(changes), max(changes)])
    assert list(reach.mix_shift) == pytest.approx([min(shifts), max(shifts)])
    assert list(reach.row_loss) == pytest.approx([0.2, 0.2])
    assert max(changes) == pytest.approx(0.1)


def test_a_table_without_any_label_may_get_its_first_ones(tmp_path: Path) -> None:
    night = Night(tmp_path, {"a": None, "b": None}, removed="", plan="a")

    assert night.reach.mix_shift == (0, 0.5)
    assert night.measured(["x"]).mix_shift == pytest.approx(0.5)


def test_an_item_that_is_retried_has_no_category_to_change(tmp_path: Path) -> None:
    before = {"a": None, "b": "x", "c": "x"}

    reach = Night(tmp_path, before, removed="", plan="a").reach

    assert reach.category_changes == (0, 0)


def test_a_first_night_has_no_table_to_move(tmp_path: Path) -> None:
    reach = Night(tmp_path, {}, removed="", plan="ab").reach

    assert reach == NOTHING
    assert reach_sentences(GatesConfig(), reach) == []
    assert refused_ahead(GatesConfig(), reach) is None


def test_gates_that_no_outcome_fails_cannot_refuse_and_others_could() -> None:
    reach = Reach(rows=9, category_changes=(0, 0.008), mix_shift=(0.1, 0.35), row_loss=(0, 0))

    assert reach_sentences(GatesConfig(), reach) == [
        "gates.max_category_changes cannot refuse: 0.8% at most, limit 20.0%",
        "gates.max_mix_shift could reach 35.0%, limit 20.0%",
    ]
    assert reach_sentences(
        GatesConfig(max_category_changes=None, warn=("max_mix_shift",)), reach
    ) == ["gates.max_mix_shift could reach 35.0%, limit 20.0%; it only warns"]
    assert refused_ahead(GatesConfig(), reach) is None


def test_gates_that_every_outcome_fails_refuse_and_say_how_to_let_the_night_through() -> None:
    reach = Reach(rows=9, category_changes=(0, 1), mix_shift=(0.312, 0.9), row_loss=(0.4, 0.4))

    assert refused_ahead(GatesConfig(max_row_loss=1), reach) == (
        "the category sizes would shift by 31.2% at least, gates.max_mix_shift allows 20.0%; "
        "nothing was classified. If that is as it should be, --set gates.max_mix_shift=1 lets it"
    )
    both = refused_ahead(GatesConfig(), reach)
    assert both is not None
    assert "would lose 40.0% of its rows, gates.max_row_loss allows 20.0%; the category" in both
    assert both.endswith("--set gates.max_row_loss=1 --set gates.max_mix_shift=1 lets it")
    opened = GatesConfig(max_row_loss=None, warn=("max_mix_shift",))
    assert refused_ahead(opened, reach) is None
