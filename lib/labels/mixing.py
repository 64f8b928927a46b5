"""What a run may put beside the labels that a table has: one taxonomy, and no older bundle's."""

from collections.abc import Collection, Mapping, Sequence

from lib.errors import InputError
from lib.labels.history import Made, Version, newest_made, standing


def refuse_mixing(
    table: str,
    versions: Sequence[Version],
    rows: Mapping[str, int],
    coming: Made,
    redone: Collection[str] = (),
) -> None:
    """Refuse a run whose labels cannot stand beside those of a table.

    Args:
        table: its name.
        versions: its history, the newest first.
        rows: how many of its rows are of each version of a taxonomy.
        coming: bundle and taxonomy of the run.
        redone: what the run does again on purpose: labels of another `bundle`, or `taxonomy`.

    Raises:
        InputError: they would be of two taxonomies, or of a bundle that another has replaced.
    """
    made, here = newest_made(versions), coming.taxonomy_version
    by = f", made by the bundle {made.made.bundle}" if made else ""
    other = {version: count for version, count in rows.items() if version != here}
    if other and not {"bundle", "taxonomy"}.intersection(redone):
        version, count = max(other.items(), key=lambda each: each[1])
        raise InputError(
            f"{table}: {count:,} of its labels are of taxonomy version {version}{by}; the bundle "
            f"{coming.bundle} is of version {here}. Give the bundle that made them, move them with "
            "'reshelve backfill', or classify all again with night.redo: [taxonomy]"
        )
    if made is None or "bundle" in redone:
        return
    if made.made.taxonomy_digest != coming.taxonomy_digest:
        if made.made.taxonomy_version != here:
            return  # its rows are all made again
        raise InputError(
            f"{table}: its labels are of another taxonomy with the same version {here}{by}; give "
            f"the taxonomy of {coming.bundle} a version of its own, or classify all again with "
            "night.redo: [bundle]"
        )
    digests = {each.made.bundle_digest for each in standing(versions)}
    if coming.bundle_digest != made.made.bundle_digest and coming.bundle_digest in digests:
        raise InputError(
            f"{table}: the bundle {coming.bundle} is older than that of its labels, "
            f"{made.made.bundle}, which came with version {_first(versions, made)}. Give that one, "
            "or classify all again with night.redo: [bundle]"
        )


def _first(versions: Sequence[Version], made: Version) -> int:
    """Return the version with which a bundle's labels came."""
    digest = made.made.bundle_digest
    return min(each.number for each in standing(versions) if each.made.bundle_digest == digest)
