"""The report of a check: what was found, with the photos."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lib.evaluation.checks import Checked, Finding, Kind
from lib.images.thumbnails import read_thumbnails
from lib.reports.check_data import CheckReport, FindingsShown
from lib.reports.data import ContactSheet, Thumbnail
from lib.reports.links import image_link
from lib.reports.render import render_check
from lib.runs import files
from lib.runs.run import Run
from lib.taxonomy.taxonomy import Taxonomy
from pipelines.train_config import TrainRun

SHOWN = 60  # findings of each kind that are shown
TITLES: Mapping[Kind, str] = {
    Kind.TWO_LABELS: "One photo, two labels",
    Kind.LEAK: "Held out, and trained on",
    Kind.WRONG_LABEL: "Likely wrong labels",
    Kind.UNUSABLE: "Unusable images",
    Kind.FEW: "Categories with too few",
    Kind.COPY: "Copies",
    Kind.NEAR_COPY: "Near copies",
    Kind.TINY: "Tiny images",
    Kind.ODD: "Odd images",
}
MEANINGS: Mapping[Kind, str] = {
    Kind.TWO_LABELS: "The same photo, or nearly, has two labels: at most one of them is right. "
    "A training leaves out the same photo under two labels.",
    Kind.LEAK: "A held-out photo is a copy of one to train on: it would be answered by heart. "
    "A training leaves the held-out one out.",
    Kind.WRONG_LABEL: "Models that had not seen these photos say otherwise (confident learning). "
    "Below each stands its label, with the probability that they give it; some of this is their "
    "own mistake.",
    Kind.UNUSABLE: "These cannot be decoded, and are left out.",
    Kind.FEW: "Of these there are so few photos that next to nothing can be promised.",
    Kind.COPY: "One photo with one label, more than once: it counts more than others.",
    Kind.NEAR_COPY: "Nearly one photo: cut, scaled, compressed or mirrored, or two shots of one "
    "product. A training never holds one out while it learns from the other.",
    Kind.TINY: "The shorter side is less than half of what the model sees.",
    Kind.ODD: "Very long, or with next to nothing on them.",
}


@dataclass(frozen=True, kw_only=True)
class CheckShown:
    """What a check has found.

    Attributes:
        config: the run file.
        checked: the items.
        taxonomy: of their labels.
        architecture: of the network that compared them.
        findings: all of them, the worst first.
        usable: how many items can be trained on.
    """

    config: TrainRun
    checked: Checked
    taxonomy: Taxonomy
    architecture: str
    findings: list[Finding]
    usable: int


def write_check_report(run: Run, shown: CheckShown) -> None:
    """Write the report into the run's folder."""
    by_kind = {
        kind: [each for each in shown.findings if each.kind == kind]
        for kind in dict.fromkeys(each.kind for each in shown.findings)
    }
    some = [each for found in by_kind.values() for each in found[:SHOWN]]
    rows = {row for each in some for row in (each.row, each.other) if row is not None}
    uris = shown.checked.items["uri"].to_pylist()
    wanted = list(dict.fromkeys(uris[row] for row in sorted(rows)))
    config = shown.config
    jpegs = read_thumbnails(wanted, config.reading, config.storage)
    pictures = dict(zip(wanted, jpegs, strict=True))
    report = CheckReport(
        run_id=run.run_id,
        started_at=run.record.created_at.isoformat(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        catalog=config.catalog.uri,
        taxonomy_version=shown.taxonomy.version,
        architecture=shown.architecture,
        items=shown.checked.items.num_rows,
        usable=shown.usable,
        findings_file=run.at(files.FINDINGS),
        found=[_show_kind(kind, found, shown, pictures) for kind, found in by_kind.items()],
    )
    run.write(files.REPORT, render_check(report).encode())


def _show_kind(
    kind: Kind, found: list[Finding], shown: CheckShown, pictures: Mapping[str, bytes | None]
) -> FindingsShown:
    first = found[:SHOWN]
    return FindingsShown(
        kind=kind,
        title=TITLES[kind],
        meaning=MEANINGS[kind],
        items=len(found),
        sheets=[
            ContactSheet(
                category=f"Cosine {each.score:.3f}",
                items=2,
                thumbnails=[_show(row, shown, pictures) for row in (each.other, each.row)],
            )
            for each in first
            if each.other is not None
        ],
        pictures=[
            _show(each.row, shown, pictures, each)
            for each in first
            if each.row is not None and each.other is None
        ],
        sentences=[each.detail for each in first if each.row is None],
    )


def _show(
    row: int | None,
    shown: CheckShown,
    pictures: Mapping[str, bytes | None],
    finding: Finding | None = None,
) -> Thumbnail:
    assert row is not None
    items, taxonomy = shown.checked.items, shown.taxonomy
    item_id, uri, name, label = (
        items[column][row].as_py() for column in ("item_id", "uri", "name", "category_id")
    )
    return Thumbnail(
        jpeg=pictures[uri],
        item_id=item_id,
        name=name,
        category=taxonomy.by_id[label].name,
        confidence=finding.score if finding else None,
        other=finding.detail if finding else shown.checked.sides[row],
        link=image_link(uri, shown.config.storage),
    )
