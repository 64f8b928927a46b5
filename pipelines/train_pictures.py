"""The photos of a training's report: its surest mistakes, and labels that are likely wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from lib.evaluation.answers import Answers
from lib.evaluation.label_issues import LabelIssue
from lib.evaluation.predictions import probability_of_truth
from lib.reports.data import ContactSheet, Thumbnail
from lib.reports.links import image_link
from lib.storage.config import StorageConfig
from lib.taxonomy.taxonomy import Taxonomy


@dataclass(frozen=True, kw_only=True)
class Photos:
    """Photos of items that a model was asked about.

    Attributes:
        predictions: what it said, of `PREDICTIONS_SCHEMA`.
        taxonomy: of that.
        names: of the items, by id, where they have one.
        pictures: by URI; None where one cannot be shown.
        storage: where the images lie.
    """

    predictions: pa.Table
    taxonomy: Taxonomy
    names: Mapping[str, str | None]
    pictures: Mapping[str, bytes | None]
    storage: StorageConfig

    def mistakes(
        self, answers: Answers, wrong: Mapping[int, tuple[list[int], int]]
    ) -> list[ContactSheet]:
        """Put the photos of mistakes on a sheet per true category.

        Args:
            answers: of the predictions.
            wrong: by the place of the true category, rows of the predictions, and how many
                mistakes there are in all.
        """
        ids, true = answers.lineage.ids, probability_of_truth(self.predictions)

        def show(row: int) -> Thumbnail:
            said, truth = (
                self._name(ids[each[row]]) for each in (answers.predicted, answers.truth)
            )
            return self._show(
                row, said, float(answers.confidence[row]), f"in truth {truth}", true[row]
            )

        return [
            ContactSheet(
                category=self.taxonomy.path(ids[truth]),
                items=count,
                thumbnails=[show(row) for row in rows],
            )
            for truth, (rows, count) in wrong.items()
        ]

    def issues(self, issues: Sequence[LabelIssue]) -> list[Thumbnail]:
        """Return the photos of labels that are likely wrong."""
        return [
            self._show(
                each.row,
                self._name(each.suggested),
                each.suggested_probability,
                f"labelled {self._name(each.given)}",
                each.given_probability,
            )
            for each in issues
        ]

    def _name(self, category_id: str) -> str:
        return self.taxonomy.by_id[category_id].name

    def _show(
        self, row: int, category: str, confidence: float, other: str, of_other: float | None
    ) -> Thumbnail:
        item_id, uri = (self.predictions[name][row].as_py() for name in ("item_id", "uri"))
        return Thumbnail(
            jpeg=self.pictures[uri],
            item_id=item_id,
            name=self.names.get(item_id),  # held-out items may be another catalog's
            category=category,
            confidence=confidence,
            other=other,
            other_confidence=of_other,
            link=image_link(uri, self.storage),
        )
