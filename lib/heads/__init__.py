"""Heads fitted on embeddings, chosen by cross-validation. May use `evaluation`, `models`, below."""
