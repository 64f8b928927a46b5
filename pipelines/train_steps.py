"""The steps of a training: a head, a fine-tuned network, the better of the two, the bundle."""

import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa

from lib.evaluation.candidates import Candidate
from lib.evaluation.held_out import Scored, compare_scored
from lib.evaluation.label_issues import find_label_issues
from lib.evaluation.paired import Verdict
from lib.heads.folds import assign_folds, count_folds
from lib.heads.learning_curve import LearningCurve, learning_curve
from lib.models.bundle import Bundle
from lib.reports.render import load_page
from lib.runs import files
from lib.training.budget import OverBudgetError
from pipelines.train_aside import Aside
from pipelines.train_bundle import Described, Trained, write_trained_bundle
from pipelines.train_embed import embed_labelled
from pipelines.train_finetune import FineTuning
from pipelines.train_head import on_folds, scored_by
from pipelines.train_labelled import Labelled, without_embeddings
from pipelines.train_models import FINETUNE, HEAD, TrainingModels
from pipelines.train_report import Shown, write_report

NETWORK = "fine-tuned network"


@dataclass(frozen=True)
class TrainingSteps:
    """What the steps of one training have in common."""

    models: TrainingModels
    aside: Aside
    started: float
    first_bundle_s: list[float] = field(default_factory=list)
    growth: list[Future[LearningCurve | None]] = field(default_factory=list)

    def try_all(
        self, items: pa.Table, held_out: pa.Table, unlabelled: pa.Table | None = None
    ) -> tuple[Labelled, list[tuple[Trained | None, Candidate]]]:
        """Try what the strategy allows; exactly one candidate is chosen."""
        leaves = self.models.taxonomy.leaves
        if self.models.model.weights == "none":
            labelled = without_embeddings(items, held_out, leaves)
            tuning = self.models.tuning(labelled)
            tuned = self.models.tuned(tuning, labelled, tuning.judge())
            why = "without weights there is no other"
            seconds = time.monotonic() - self.started
            return labelled, [(tuned, _candidate(tuned, FINETUNE, why, seconds=seconds))]
        backbone = self.models.backbone(self.models.run.at(files.INITIAL_MODEL))
        labelled = embed_labelled(backbone, items, held_out, leaves)
        simple, seconds = self.models.fit_head(backbone, labelled, unlabelled)
        self._measure_growth(labelled, simple)
        if self.models.config.strategy == HEAD:
            why = "The run file asks for it."
            return labelled, [(simple, _candidate(simple, HEAD, why, seconds=seconds))]
        self._write(files.FIRST_BUNDLE, simple, labelled)
        self.first_bundle_s.append(time.monotonic() - self.started)
        bundle_uri = self.models.run.at(files.FIRST_BUNDLE)
        self.models.say(f"first bundle after {self.first_bundle_s[0]:.0f} s: {bundle_uri}")
        return labelled, self._compare(labelled, simple, seconds)

    def end(self, labelled: Labelled, tried: list[tuple[Trained | None, Candidate]]) -> Bundle:
        """Write the bundle of what was chosen, and the report of all."""
        trained = next(each for each, candidate in tried if candidate.chosen)
        assert trained is not None
        bundle, predictions = self._write(files.BUNDLE, trained, labelled, with_int8=True)
        issues = self.aside.call(partial(find_label_issues, predictions))
        load_page("training")  # while the other process works
        chosen = next(candidate for _, candidate in tried if candidate.chosen)
        shown = Shown(
            bundle=bundle,
            catalog=self.models.config.catalog.uri,
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
            growth=self.growth[0].result() if self.growth else None,
            issues=issues.result(),
            history=self.models.history,
            unusable=trained.scored.unusable,
            workers=self.models.config.workers.most,
            dials=trained.recipe,
            adaptation=self.models.adaptations[0] if self.models.adaptations else None,
            copies=labelled.copies,
        )
        self.models.say("writing the report")
        write_report(self.models.run, shown, self.models.config.reading)
        return bundle

    def _compare(
        self, labelled: Labelled, simple: Trained, seconds: float
    ) -> list[tuple[Trained | None, Candidate]]:
        """Fine-tune as well, and take what is better; the head, where that cannot be told."""
        before = time.monotonic()
        forced = self.models.config.strategy == FINETUNE
        try:
            tuning = self.models.tuning(labelled)
            scored = tuning.judge()
        except OverBudgetError as error:
            why = str(error)
            self.models.say(f"no fine-tuning: {why}")
            head = _candidate(simple, HEAD, "Fine-tuning had no time.", seconds=seconds)
            none = Candidate(name=NETWORK, strategy=FINETUNE, right=0, items=0,
                             seconds=0.0, chosen=False, why=why)  # fmt: skip
            return [(simple, head), (None, none)]
        comparison = compare_scored(scored, self._on_the_same_folds(simple, labelled, tuning))
        sentence = comparison.sentence("the fine-tuned network", "the head")
        self.models.say(sentence)
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
        trained = self.models.tuned(tuning, labelled, scored)
        why = "The run file asks for it." if forced else sentence
        head = _candidate(simple, HEAD, sentence, seconds=seconds)
        return [
            (simple, replace(head, chosen=False)),
            (trained, _candidate(trained, FINETUNE, why, seconds=time.monotonic() - before)),
        ]

    def _measure_growth(self, labelled: Labelled, simple: Trained) -> None:
        assert simple.by_head
        targets, leaves = labelled.targets, len(self.models.taxonomy.leaves)
        folds = assign_folds(labelled.photos, targets.tolist(), count_folds(len(targets)))
        recipe = simple.by_head.recipe
        measure = partial(learning_curve, labelled.vectors, targets, folds, leaves, recipe)
        self.growth.append(self.aside.call(measure))

    def _on_the_same_folds(self, simple: Trained, labelled: Labelled, tuning: FineTuning) -> Scored:
        """Judge the head by items that as many others were kept from as from the network."""
        if labelled.held_out or self.models.adaptations or simple.by_head is None:
            return simple.scored
        return scored_by(on_folds(simple.by_head, labelled, tuning.folds), labelled)

    def _write(
        self, name: str, trained: Trained, labelled: Labelled, *, with_int8: bool = False
    ) -> tuple[Bundle, pa.Table]:
        described = Described(
            run=self.models.run,
            model=self.models.model,
            taxonomy=self.models.taxonomy,
            accept=self.models.config.accept,
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
