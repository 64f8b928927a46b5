"""Nearest embeddings: an index beside the store, and asking it. May use `models` and below."""
