"""A check of labelled items, step by step: read, inspect, compare, report; nothing is changed."""

import csv
import io
from collections import Counter
from dataclasses import replace

import pyarrow as pa

from lib.catalog.catalog import labels_of
from lib.catalog.left_out import LeftOut, left_out_sentence
from lib.embeddings.copies import join_pairs
from lib.embeddings.lookup import look_up
from lib.errors import InputError
from lib.evaluation.checks import Checked, Finding, Kind, find_copies, find_few, find_unfit
from lib.images.inspection import Inspection, inspect_images
from lib.models.choice import choose_model
from lib.runs import files
from lib.runs.begin import open_run
from lib.runs.ending import Ending
from lib.runs.heartbeat import Heartbeat
from lib.runs.progress import plural, stage
from lib.runs.run import Run
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy, read_taxonomy
from lib.training.backbone import BackboneJob
from pipelines.check_labels import find_wrong_labels
from pipelines.check_report import TITLES, CheckShown, write_check_report
from pipelines.steps import Say
from pipelines.train_backbone import open_backbone
from pipelines.train_config import TrainRun
from pipelines.train_copies import ALIKE, NEAR
from pipelines.train_embed import Backbone
from pipelines.train_inputs import describe, initial_model, read_taught_sides
from pipelines.train_workers import Workers

COLUMNS = ("kind", "item_id", "uri", "category_id", "other_item_id", "other_uri",
           "other_category_id", "score", "detail")  # fmt: skip


def check(config: TrainRun, say: Say, ending: Ending | None = None) -> None:
    """Look for what is wrong with the labelled items of a training, before it.

    Args:
        config: the training's run file.
        say: takes each line for the person who waits.
        ending: learns which run it is, or None.

    Raises:
        InputError: something given cannot be used; no work was done.
        ReshelveError: the check stopped; the same command resumes it.
    """
    storage = Storage(config.storage)
    taxonomy = read_taxonomy(config.taxonomy, storage)
    model = choose_model(config.model)
    if model.weights == "none":
        raise InputError(
            "model.weights: a check compares photos by what a network sees in them, and one "
            "without weights sees nothing; name weights, or take the default network"
        )
    left_out = LeftOut()
    train, held_out, taught = read_taught_sides(config, taxonomy, storage, left_out)
    sides = train, held_out
    for side, source in zip(sides, (config.catalog, config.validation), strict=True):
        taxonomy.check_labels(labels_of(side), (source or config.catalog).uri)
    intent = describe(config, model, taxonomy, *sides)
    intent = replace(intent, job="check")
    # a run_id is the training's: it has not begun yet
    run = open_run(config.output, None, intent, storage)
    if ending:
        ending.run = run
    items = pa.concat_tables(sides).combine_chunks()
    say(f"{run}: {plural(items.num_rows, 'labelled item')}")
    if taught:
        say(taught.sentence)
    if sentence := left_out_sentence(left_out.counts):
        say(sentence)
    with Heartbeat(run), Workers(config.workers) as workers:
        run.write(files.INITIAL_MODEL, initial_model(config, model, taxonomy, storage))
        job = BackboneJob(
            storage=storage,
            state_uri=run.at(files.INITIAL_MODEL),
            kept_uri="",
            architecture=model.architecture,
            categories=len(taxonomy.leaves),
            preprocessing=model.preprocessing,
            reading=config.reading,
        )
        backbone = open_backbone(job, config.embeddings, workers, say)
        checked = _look_at(config, items, _named_sides(config, sides), backbone, say)
        say("comparing photos and labels")
        findings = find_all(checked, taxonomy, model.preprocessing.size_px)
        run.write(files.FINDINGS, to_csv(checked.items, findings))
        unfit = {each.row for each in findings if each.kind == Kind.UNUSABLE}
        shown = CheckShown(
            config=config,
            checked=checked,
            taxonomy=taxonomy,
            architecture=model.architecture,
            findings=findings,
            usable=items.num_rows - len(unfit),
        )
        say("writing the report")
        write_check_report(run, shown)
    _end(run, items.num_rows, shown.usable, findings, say)


def _named_sides(config: TrainRun, sides: tuple[pa.Table, pa.Table]) -> list[str]:
    """Name the side of each item; where no split is given, a training finds one without copies."""
    train, held_out = sides
    given = config.validation is not None or train["split"].null_count < train.num_rows
    held = "validation" if given else "train"
    return ["train"] * train.num_rows + [held] * held_out.num_rows


def _look_at(
    config: TrainRun, items: pa.Table, sides: list[str], backbone: Backbone, say: Say
) -> Checked:
    uris, etags = items["uri"].to_pylist(), items["etag"].to_pylist()
    inspections = []
    with stage(say, "looking at the photos") as count:
        for each in inspect_images(uris, etags, config.reading, config.storage):
            inspections.append(each)
            count(1)
    # what cannot be decoded would be tried again, and again in each check
    usable = [isinstance(each, Inspection) for each in inspections]
    backbone.embed(items.filter(pa.array(usable, pa.bool_())))
    rows, vectors = look_up(items, backbone.store())
    order = rows.to_numpy().argsort()
    return Checked(
        items=items,
        sides=sides,
        inspections=inspections,
        rows=rows.to_numpy()[order].tolist(),
        vectors=vectors[order],
    )


def find_all(checked: Checked, taxonomy: Taxonomy, size_px: int) -> list[Finding]:
    """Return all findings, the worst kind first, as `Kind` orders them.

    Args:
        checked: the items.
        taxonomy: of their labels.
        size_px: side of the square that the model sees.
    """
    copies = find_copies(checked, least=NEAR, alike=ALIKE)
    unfit = find_unfit(checked, size_px)
    pairs = [(e.row, e.other) for e in copies if e.row is not None and e.other is not None]
    photos = join_pairs(checked.items.num_rows, pairs)
    labels = checked.items["category_id"]
    usable = [
        labels[row].as_py()
        for row, each in enumerate(checked.inspections)
        if isinstance(each, Inspection)
    ]
    found = [
        *copies,
        *unfit,
        *find_few(usable, {leaf: taxonomy.path(leaf) for leaf in taxonomy.leaves}),
        *find_wrong_labels(checked, photos, taxonomy),
    ]
    order = [*Kind]
    return sorted(found, key=lambda each: order.index(each.kind))


def to_csv(items: pa.Table, findings: list[Finding]) -> bytes:
    """Write findings as CSV, a row each, with the columns `COLUMNS`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    known = {name: items[name].to_pylist() for name in ("item_id", "uri", "category_id")}
    for each in findings:
        own, other = (
            [known[name][row] if row is not None else "" for name in known]
            for row in (each.row, each.other)
        )
        label = own[2] or each.category_id
        score = "" if each.score is None else f"{each.score:.4f}"
        writer.writerow([each.kind, own[0], own[1], label, *other, score, each.detail])
    return text.getvalue().encode()


def _end(run: Run, items: int, usable: int, findings: list[Finding], say: Say) -> None:
    counts = Counter(str(each.kind) for each in findings)
    titles = {str(kind): title.lower() for kind, title in TITLES.items()}
    said = "; ".join(f"{titles[kind]}: {count:,}" for kind, count in counts.items())
    can = f"{plural(items, 'labelled item')}, {usable:,} can be used"
    sentence = f"{can}; {said or 'nothing found'}"
    say(sentence)
    say(f"findings: {run.at(files.FINDINGS)}\nreport: {run.at(files.REPORT)}")
    run.end(
        {
            "state": "checked",
            "sentence": sentence,
            "items": items,
            "usable": usable,
            "findings": dict(counts),
        }
    )
