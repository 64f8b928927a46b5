"""The names of the files and folders in a run's folder: they stand here alone."""

from typing import Final

RECORD: Final = "run.json"
OUTCOME: Final = "outcome.json"
METRICS: Final = "metrics.jsonl"
HEARTBEAT: Final = "heartbeat.json"
REPORT: Final = "report.html"
BUNDLE: Final = "bundle"

# of a run in units
PLAN: Final = "plan.parquet"
SHARDS: Final = "shards"
EMBEDDINGS: Final = "embeddings"
ATTEMPTS: Final = "attempts"
LABELS: Final = "labels"
ANSWERS: Final = "answers.parquet"  # of people, as they stood when it was planned
MANIFEST: Final = "manifest.json"

# of a classification
SNAPSHOT: Final = "snapshot.parquet"
REMOVED: Final = "removed.parquet"
NIGHT: Final = "night.json"
SAMPLE: Final = "sample.parquet"  # what later nights are compared with
DRIFT: Final = "drift.json"

# of a match
RIGHT: Final = "right.parquet"
SCORING: Final = "scoring.json"
PAIRS: Final = "pairs.parquet"
MATCHES: Final = "matches.parquet"
CLUSTERS: Final = "clusters.parquet"

# of a backfill
BACKFILL: Final = "backfill.json"
MIGRATION: Final = "migration.json"
FIT: Final = "fit.json"
HELD_OUT: Final = "held_out.parquet"
PIXELS: Final = "pixels"  # a run in units within the run

# of a training
TRAIN_ITEMS: Final = "items-train.parquet"
VALIDATION_ITEMS: Final = "items-validation.parquet"
UNLABELLED_ITEMS: Final = "items-unlabelled.parquet"  # that the head adapts to
INITIAL_MODEL: Final = "initial.safetensors"
CHECKPOINTS: Final = "checkpoints"
FINETUNE: Final = "finetune"  # parts that are trained, each with its own checkpoints
NETWORK: Final = "network"  # a fine-tuned backbone compiled
FIRST_BUNDLE: Final = "first-bundle"

# of an evaluation
PREDICTIONS: Final = "predictions.parquet"
AGAINST: Final = "against"  # a run in units within the run
AGAINST_PREDICTIONS: Final = "against.parquet"
EVALUATION: Final = "evaluation.json"

# of a check
FINDINGS: Final = "findings.csv"

# of a discovery
DRAFT_TAXONOMY: Final = "taxonomy.yaml"
DRAFT_LABELS: Final = "labels.csv"
