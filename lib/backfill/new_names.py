"""The names of a new taxonomy: carried over with their thresholds, or fitted with a new head."""

from dataclasses import dataclass

from lib.backfill.carried_thresholds import carry_thresholds
from lib.models.bundle import Bundle
from lib.models.names import Kept, NamesInfo
from lib.names.classifier import NameClassifier, NameWeights
from lib.names.part import read_names
from lib.storage.storage import Storage
from lib.taxonomy.migration import Migration


@dataclass(frozen=True, kw_only=True)
class NewNames:
    """A classifier of titles, and what a bundle says of it."""

    info: NamesInfo
    weights: NameWeights

    def classifier(self, leaves: tuple[str, ...]) -> NameClassifier:
        """Return it as a bundle of these leaves gives it."""
        return NameClassifier(
            weights=self.weights,
            category_ids=self.info.category_ids,
            leaves=leaves,
            temperature=self.info.temperature,
        )


def carry_names(bundle: Bundle, migration: Migration, storage: Storage) -> NewNames | None:
    """Return a bundle's names under new ids, where each old leaf becomes one new leaf for certain.

    Columns of merged leaves add up, as the rows of a head do.

    Returns:
        None where the bundle uses none.

    Raises:
        InputError: its classifier of titles is damaged.
    """
    old, info = read_names(bundle, storage), bundle.info.names
    if old is None or info is None:
        return None

    def carried(kept: Kept) -> Kept:
        thresholds = carry_thresholds(kept.thresholds, migration)
        return Kept(threshold=kept.threshold, thresholds=thresholds)

    update = {
        "category_ids": tuple(migration.destinies[each][0] for each in info.category_ids),
        "both": carried(info.both),
        "alone": carried(info.alone),
    }
    return NewNames(info=info.model_copy(update=update), weights=old.weights)
