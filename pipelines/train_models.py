"""The two models of a training: a head on embeddings, and a network that is fine-tuned."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import torch

from lib.evaluation.held_out import Scored, calibrate
from lib.models.config import ChosenModel
from lib.runs import files
from lib.runs.run import Run
from lib.taxonomy.taxonomy import Taxonomy
from lib.training.backbone import BackboneJob
from lib.training.checkpoint import TRAINED, read_checkpoint
from lib.training.history import EpochRecord, epoch_sentence
from pipelines.steps import Say
from pipelines.train_adapt import adapt_fitted, describe_adaptation, embed_unlabelled
from pipelines.train_backbone import open_backbone
from pipelines.train_bundle import Model, Trained
from pipelines.train_config import TrainRun
from pipelines.train_embed import Backbone
from pipelines.train_finetune import FineTuning
from pipelines.train_head import fit_best_head, scored_by
from pipelines.train_labelled import Labelled
from pipelines.train_names import (
    Promise,
    Titled,
    judged_together,
    open_encoder,
    read_titles,
    train_names,
)
from pipelines.train_workers import Workers

HEAD, FINETUNE = "head", "finetune"


@dataclass(frozen=True)
class TrainingModels:
    """Fits the models of one training, each with its calibration, and keeps how that went."""

    config: TrainRun
    model: ChosenModel
    taxonomy: Taxonomy
    run: Run
    workers: Workers
    say: Say
    history: list[EpochRecord] = field(default_factory=list)
    adaptations: list[str] = field(default_factory=list)
    titles: list[Titled | None] = field(default_factory=list)

    def backbone(self, state_uri: str, kept: str | None = None) -> Backbone:
        """Return the network with some weights, which embeds.

        Args:
            state_uri: of its weights.
            kept: a folder for its embeddings; None for the run file's.
        """
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

    def fit_head(
        self, backbone: Backbone, labelled: Labelled, unlabelled: pa.Table | None
    ) -> tuple[Trained, float]:
        """Return the best head on the embeddings, and the seconds that fitting it took.

        Args:
            backbone: that has made them.
            labelled: the items.
            unlabelled: a catalog that the head adapts to, or None.
        """
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

    def tuning(self, labelled: Labelled) -> FineTuning:
        """Return the fine-tuning of the whole network, which can be judged and finished."""
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

    def tuned(self, tuning: FineTuning, labelled: Labelled, scored: Scored) -> Trained:
        """Fine-tune on all items, and return the network, judged by what was scored before."""
        part = tuning.finish()
        history, state = read_checkpoint(part) or ([], {})
        self.history.extend(history)
        backbone = self.backbone(part.at(TRAINED), kept=self.run.at(files.NETWORK))
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
