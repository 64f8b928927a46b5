"""The steps of a training: a head, a fine-tuned network, the better of the two, the bundle."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import torch

from lib.evaluation.candidates import Candidate
from lib.evaluation.held_out import Scored, calibrate, compare_scored
from lib.evaluation.paired import Verdict
from lib.models.bundle import Bundle
from lib.models.config import ChosenModel
from lib.runs import files
from lib.runs.run import Run
from lib.taxonomy.taxonomy import Taxonomy
from lib.training.backbone import BackboneJob
from lib.training.budget import OverBudgetError
from lib.training.checkpoint import TRAINED, read_checkpoint
from lib.training.history import EpochRecord, epoch_sentence
from pipelines.steps import Say
from pipelines.train_adapt import adapt_fitted, describe_adaptation, embed_unlabelled
from pipelines.train_backbone import open_backbone
from pipelines.train_bundle import Described, Model, Trained, write_trained_bundle
from pipelines.train_config import TrainRun
from pipelines.train_embed import Backbone, embed_labelled
from pipelines.train_finetune import FineTuning
from pipelines.train_head import fit_best_head, on_folds, scored_by
from pipelines.train_labelled import Labelled, without_embeddings
from pipelines.train_names import (
    Promise,
    Titled,
    judged_together,
    open_encoder,
    read_titles,
    train_names,
)
from pipelines.train_report import Shown, write_report
from pipelines.train_workers import Workers

HEAD, FINETUNE = "head", "finetune"
NETWORK = "fine-tuned network"


@dataclass(frozen=True)
class TrainingSteps:
    """What the steps of one training have in common."""

    config: TrainRun
    model: ChosenModel
    taxonomy: Taxonomy
    run: Run
    workers: Workers
    say: Say
    started: float
    history: list[EpochRecord] = field(default_factory=list)
    first_bundle_s: list[float] = field(default_factory=list)
    adaptations: list[str] = field(default_factory=list)
    titles: list[Titled | None] = field(default_factory=list)

    def try_all(
        self, items: pa.Table, held_out: pa.Table, unlabelled: pa.Table | None = None
    ) -> tuple[Labelled, list[tuple[Trained | None, Candidate]]]:
        """Try what the strategy allows; exactly one candidate is chosen."""
        leaves = self.taxonomy.leaves
        if self.model.weights == "none":
            labelled = without_embeddings(items, held_out, leaves)
            tuning = self._tuning(labelled)
            tuned = self._tuned(tuning, labelled, tuning.judge())
            why = "without weights there is no other"
            seconds = time.monotonic() - self.started
            return labelled, [(tuned, _candidate(tuned, FINETUNE, why, seconds=seconds))]
        backbone = self._backbone(self.run.at(files.INITIAL_MODEL))
        labelled = embed_labelled(backbone, items, held_out, leaves)
        simple, seconds = self._fit_head(backbone, labelled, unlabelled)
        if self.config.strategy == HEAD:
            why = "The run file asks for it."
            return labelled, [(simple, _candidate(simple, HEAD, why, seconds=seconds))]
        self._write(files.FIRST_BUNDLE, simple, labelled)
        self.first_bundle_s.append(time.monotonic() - self.started)
        bundle_uri = self.run.at(files.FIRST_BUNDLE)
        self.say(f"first bundle after {self.first_bundle_s[0]:.0f} s: {bundle_uri}")
        return labelled, self._compare(labelled, simple, seconds)

    def end(self, labelled: Labelled, tried: list[tuple[Trained | None, Candidate]]) -> Bundle:
        """Write the bundle of what was chosen, and the report of all."""
        trained = next(each for each, candidate in tried if candidate.chosen)
        assert trained is not None
        bundle, predictions = self._write(files.BUNDLE, trained, labelled, with_int8=True)
        chosen = next(candidate for _, candidate in tried if candidate.chosen)
        head = next((each.by_head for each, _ in tried if each and each.by_head), None)
        shown = Shown(
            bundle=bundle,
            catalog=self.config.catalog.uri,
            items=labelled.items,
            train_items=labelled.train.stop,
            predictions=predictions,
            calibrated=trained.used,
            names=trained.names,
            strategy=chosen.strategy,
            seconds=time.monotonic() - self.started,
            why=chosen.why,
            candidates=[candidate for _, candidate in tried],
            first_bundle_s=self.first_bundle_s[0] if self.first_bundle_s else None,
            embeddings=labelled.vectors if head else None,
            recipe=head.recipe if head else None,
            history=self.history,
            unusable=trained.scored.unusable,
            workers=self.config.workers.most,
            dials=trained.recipe,
            adaptation=self.adaptations[0] if self.adaptations else None,
            copies=labelled.copies,
        )
        self.say("writing the report")
        write_report(self.run, shown, self.config.reading)
        return bundle

    def _compare(
        self, labelled: Labelled, simple: Trained, seconds: float
    ) -> list[tuple[Trained | None, Candidate]]:
        """Fine-tune as well, and take what is better; the head, where that cannot be told."""
        before = time.monotonic()
        forced = self.config.strategy == FINETUNE
        try:
            tuning = self._tuning(labelled)
            scored = tuning.judge()
        except OverBudgetError as error:
            why = str(error)
            self.say(f"no fine-tuning: {why}")
            head = _candidate(simple, HEAD, "Fine-tuning had no time.", seconds=seconds)
            none = Candidate(name=NETWORK, strategy=FINETUNE, right=0, items=0,
                             seconds=0.0, chosen=False, why=why)  # fmt: skip
            return [(simple, head), (None, none)]
        comparison = compare_scored(scored, self._on_the_same_folds(simple, labelled, tuning))
        sentence = comparison.sentence("the fine-tuned network", "the head")
        self.say(sentence)
        took = time.monotonic() - before
        if comparison.verdict is not Verdict.BETTER and not forced:
            tuned = Candidate(
                name=NETWORK,
                strategy=FINETUNE,
                right=int(scored.correct.sum()),
                items=len(scored.targets),
                seconds=took,
                chosen=False,
                why=sentence,
            )
            why = "fine-tuning is no clear gain, and the head is the simpler"
            return [(simple, _candidate(simple, HEAD, why, seconds=seconds)), (None, tuned)]
        trained = self._tuned(tuning, labelled, scored)
        why = "The run file asks for it." if forced else sentence
        head = _candidate(simple, HEAD, sentence, seconds=seconds)
        return [
            (simple, replace(head, chosen=False)),
            (trained, _candidate(trained, FINETUNE, why, seconds=time.monotonic() - before)),
        ]

    def _on_the_same_folds(self, simple: Trained, labelled: Labelled, tuning: FineTuning) -> Scored:
        """Judge the head by items that as many others were kept from as from the network."""
        if labelled.held_out or self.adaptations or simple.by_head is None:
            return simple.scored
        return scored_by(on_folds(simple.by_head, labelled, tuning.folds), labelled)

    def _backbone(self, state_uri: str, kept: str | None = None) -> Backbone:
        job = BackboneJob(
            storage=self.run.storage,
            state_uri=state_uri,
            kept_uri="",
            architecture=self.model.architecture,
            categories=len(self.taxonomy.leaves),
            preprocessing=self.model.preprocessing,
            reading=self.config.reading,
            sharers=self.config.workers.most,
        )
        folder = kept or self.config.embeddings
        return open_backbone(job, folder, self.workers, self.say)

    def _fit_head(
        self, backbone: Backbone, labelled: Labelled, unlabelled: pa.Table | None
    ) -> tuple[Trained, float]:
        self.say(f"choosing a head by {labelled.train.stop:,} embeddings")
        head = fit_best_head(labelled, len(self.taxonomy.leaves))
        scored = scored_by(head, labelled)
        self.say(f"head: {head.recipe}, the best of {len(head.candidates)}")
        recipe: dict[str, Any] = {"strategy": HEAD, "head": head.recipe.model_dump(mode="json")}
        if unlabelled is not None:
            vectors = embed_unlabelled(backbone, unlabelled, labelled)
            head, scored, found = adapt_fitted(head, scored, labelled, vectors)
            recipe |= describe_adaptation(head, found)
            self.adaptations.append(found.sentence)
            self.say(found.sentence)
        model = Model(
            backbone=backbone,
            head=head.rows,
            power=head.recipe.power,
            by_head=head,
            places=head.judged,
            scored=scored,
            folds=head.folds[head.judged] if head.by_fold else None,
            recipe=recipe,
        )
        return self._judged(model, labelled), head.seconds

    def _judged(self, model: Model, labelled: Labelled) -> Trained:
        """Calibrate a model, and put the labelled items' names beside it."""
        promise = Promise(taxonomy=self.taxonomy, accept=self.config.accept)
        image = calibrate(model.scored, promise.taxonomy, promise.accept)
        names = train_names(self._titles(labelled), model.places, model.folds, image, promise)
        if names:
            self.say(names.judged.sentence)
        used = judged_together(image, names, model.scored.targets, promise)
        return Trained(**vars(model), calibrated=image, names=names, used=used)

    def _titles(self, labelled: Labelled) -> Titled | None:
        """Return the items with their titles' features, made once though two models are judged."""
        if not self.titles:
            encoder = open_encoder(self.config.names, self.run)
            if encoder.files:
                self.say(f"reading titles with {encoder.files.name}")
            self.titles.append(read_titles(labelled, encoder))
        return self.titles[0]

    def _tuning(self, labelled: Labelled) -> FineTuning:
        return FineTuning(
            config=self.config,
            model=self.model,
            leaves=self.taxonomy.leaves,
            run=self.run,
            items=labelled.items,
            photos=labelled.photos,
            held_out=labelled.held_out,
            connect=self.workers.connect,
            tell=lambda epoch: self.say(epoch_sentence(epoch)),
            say=self.say,
        )

    def _tuned(self, tuning: FineTuning, labelled: Labelled, scored: Scored) -> Trained:
        part = tuning.finish()
        history, state = read_checkpoint(part) or ([], {})
        self.history.extend(history)
        backbone = self._backbone(part.at(TRAINED), kept=self.run.at(files.NETWORK))
        place = {each: row for row, each in enumerate(labelled.items["item_id"].to_pylist())}
        places = torch.tensor([place[each] for each in scored.item_ids])
        tensors = backbone.job.tensors()
        dials = tuning.job("", labelled.train.stop).dials.model_dump(mode="json")
        layer = state["layer"]
        learned = {
            "epochs": len(history),
            "layers": f"layers from {layer} on" if layer else "all layers",
        }
        model = Model(
            backbone=backbone,
            head=(tensors["head.weight"], tensors["head.bias"]),
            power=1.0,
            by_head=None,
            places=places,
            scored=scored,
            folds=None if labelled.held_out else tuning.folds[places],
            recipe={"strategy": FINETUNE, **dials, **learned},
        )
        return self._judged(model, labelled)

    def _write(
        self, name: str, trained: Trained, labelled: Labelled, *, with_int8: bool = False
    ) -> tuple[Bundle, pa.Table]:
        described = Described(
            run=self.run, model=self.model, taxonomy=self.taxonomy, accept=self.config.accept
        )
        return write_trained_bundle(name, described, trained, labelled.items, with_int8=with_int8)


def _candidate(trained: Trained, strategy: str, why: str, *, seconds: float) -> Candidate:
    """Say how a model did, as one that was chosen."""
    return Candidate(
        name=f"head: {trained.by_head.recipe}"
        if trained.by_head
        else f"{NETWORK}, {trained.recipe['layers']}",
        strategy=strategy,
        right=int(trained.scored.correct.sum()),
        items=len(trained.scored.targets),
        seconds=seconds,
        chosen=True,
        why=why,
    )
