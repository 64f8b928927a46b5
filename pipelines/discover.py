"""A discovery, step by step: embed, group, name, and write a draft to edit and train on."""

import csv
import io
from datetime import UTC, datetime

import pyarrow as pa

from lib.batches import to_parquet
from lib.embeddings.clusters import find_clusters
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.hashing import digest_bytes, digest_json
from lib.images.thumbnails import read_thumbnails
from lib.models.bundle import read_bundle
from lib.models.bundle_tensors import pack
from lib.models.choice import choose_model
from lib.models.classifier import build_classifier
from lib.models.pretrained import load_backbone, parameters_of
from lib.reports.data import ContactSheet, Thumbnail
from lib.reports.discovery_data import DiscoveryReport
from lib.reports.links import image_link
from lib.reports.render import render_discovery
from lib.runs import files
from lib.runs.ending import Ending
from lib.runs.heartbeat import Heartbeat
from lib.runs.progress import plural
from lib.runs.run import Intent, Run
from lib.storage.storage import Storage
from lib.storage.uris import absolute
from lib.taxonomy.draft import distinctive_words, draft_taxonomy
from lib.training.backbone import BackboneJob
from pipelines.discover_inputs import DiscoverRun, Placed, fit_no_category, place, read_items
from pipelines.steps import Say, open_unless_ended
from pipelines.train_backbone import open_backbone
from pipelines.train_workers import Workers

SHOWN = 12  # photos of each group
COLUMNS = ("item_id", "uri", "etag", "name", "category_id")


def discover(config: DiscoverRun, say: Say, ending: Ending | None = None) -> None:
    """Find groups among items, and write a draft taxonomy with labels.

    Args:
        config: the run file.
        say: takes each line for the person who waits.
        ending: learns which run it is, or None.

    Raises:
        InputError: something given cannot be used; no work was done.
        ReshelveError: the discovery stopped; the same command resumes it.
    """
    storage = Storage(config.storage)
    items = read_items(config, storage)
    run = open_unless_ended(config, _describe(config, items), storage, say, ending)
    if run is None:
        return
    say(f"{run}: {plural(items.num_rows, 'item')}")
    with Heartbeat(run):
        store = _embed(config, run, items, say)
        placed = place(items, store)
        if config.groups and config.groups > placed.items.num_rows:
            raise InputError(
                f"groups: {config.groups} are more than the {placed.items.num_rows:,} items that "
                "have an embedding"
            )
        looked_at = placed.items.num_rows
        if config.labels_table:
            say("looking for what fits no category")
            placed = fit_no_category(config, placed, store)
        say("looking for groups")
        sentence, found = _write(config, run, placed, looked_at)
    say(sentence)
    for name in (files.DRAFT_TAXONOMY, files.DRAFT_LABELS) if found else ():
        say(f"draft: {run.at(name)}")
    say(f"report: {run.at(files.REPORT)}")
    run.end({"state": "discovered", "sentence": sentence, "items": looked_at, "groups": found})


def _describe(config: DiscoverRun, items: pa.Table) -> Intent:
    described = config.model_dump(mode="json", exclude={"storage"})
    keys = ("groups", "labels_table", "bundle", "model")
    return Intent(
        job="discover",
        fingerprint={
            "snapshot": digest_bytes(to_parquet(items)),
            "recipe": digest_json([described[key] for key in keys]),
        },
        run_file=described,
    )


def _embed(config: DiscoverRun, run: Run, items: pa.Table, say: Say) -> EmbeddingStore:
    """Return the store of embeddings; a bundle's are made by nights, the default network's here."""
    if config.bundle:
        digest = read_bundle(config.bundle, run.storage).backbone_digest
        return EmbeddingStore(config.embeddings, digest, run.storage)
    model = choose_model(config.model)
    if model.weights == "none":
        raise InputError(
            "model.weights: groups are of what a network sees in photos, and one without weights "
            "sees nothing; name weights, or take the default network"
        )
    classifier = build_classifier(model.architecture, 1, model.preprocessing.size_px)
    load_backbone(classifier, model.architecture, model.weights, run.storage)
    run.write(files.INITIAL_MODEL, pack(parameters_of(classifier)))
    job = BackboneJob(
        storage=run.storage,
        state_uri=run.at(files.INITIAL_MODEL),
        kept_uri="",
        architecture=model.architecture,
        categories=1,
        preprocessing=model.preprocessing,
        reading=config.reading,
    )
    with Workers(config.workers) as workers:
        backbone = open_backbone(job, config.embeddings, workers, say)
        backbone.embed(items)
    if unusable := len(backbone.unusable):
        say(f"{plural(unusable, 'image')} cannot be used, and stay out")
    return backbone.store()


def _write(config: DiscoverRun, run: Run, placed: Placed, looked_at: int) -> tuple[str, int]:
    """Write drafts and report; return what was found, as a sentence, and how many groups."""
    items = placed.items
    members: list[list[int]] = []
    if items.num_rows:
        count = min(config.groups, items.num_rows) if config.groups else None
        members = [each.tolist() for each in find_clusters(placed.vectors, count).members]
    names = items["name"].to_pylist()
    words = distinctive_words([[names[row] for row in rows if names[row]] for rows in members])
    taxonomy = draft_taxonomy(words)
    if members:
        run.write(files.DRAFT_TAXONOMY, taxonomy.to_yaml().encode())
        run.write(files.DRAFT_LABELS, to_labels(items, members, taxonomy.leaves))
    report = DiscoveryReport(
        run_id=run.run_id,
        started_at=run.record.created_at.isoformat(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        catalog=config.catalog.uri,
        labels_table=config.labels_table,
        items=items.num_rows,
        looked_at=looked_at,
        sheets=_sheets(config, items, members, [each.name for each in taxonomy.categories]),
        words=[", ".join(each) for each in words],
        taxonomy_file=run.at(files.DRAFT_TAXONOMY) if members else "",
        labels_file=run.at(files.DRAFT_LABELS) if members else "",
    )
    run.write(files.REPORT, render_discovery(report).encode())
    groups = plural(len(members), "group")
    if not config.labels_table:
        return f"{plural(looked_at, 'item')} in {groups}", len(members)
    sentence = f"{items.num_rows:,} of {plural(looked_at, 'item')} fit no category, in {groups}"
    return sentence, len(members)


def to_labels(items: pa.Table, members: list[list[int]], category_ids: tuple[str, ...]) -> bytes:
    """Write a manifest of items with the category of their group, the most central first.

    Args:
        items: n items, columns of `ITEM_SCHEMA`.
        members: rows of each group.
        category_ids: of the groups.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    known = [items[name].to_pylist() for name in COLUMNS[:-1]]
    for rows, category_id in zip(members, category_ids, strict=True):
        for row in rows:
            item_id, uri, etag, name = (column[row] for column in known)
            writer.writerow([item_id, absolute(uri), etag or "", name or "", category_id])
    return text.getvalue().encode()


def _sheets(
    config: DiscoverRun, items: pa.Table, members: list[list[int]], names: list[str]
) -> list[ContactSheet]:
    shown = [row for rows in members for row in rows[:SHOWN]]
    ids, uris, titles = (items[name].to_pylist() for name in ("item_id", "uri", "name"))
    jpegs = read_thumbnails([uris[row] for row in shown], config.reading, config.storage)
    pictures = dict(zip(shown, jpegs, strict=True))
    return [
        ContactSheet(
            category=name,
            items=len(rows),
            thumbnails=[
                Thumbnail(
                    jpeg=pictures[row],
                    item_id=ids[row],
                    name=titles[row],
                    category=name,
                    confidence=None,
                    link=image_link(uris[row], config.storage),
                )
                for row in rows[:SHOWN]
            ],
        )
        for name, rows in zip(names, members, strict=True)
    ]
