"""A run's folder: plan, shards, manifest, figures, state. May use `labels` and below."""
