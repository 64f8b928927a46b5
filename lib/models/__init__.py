"""Bundles, networks, heads, and the runtimes they run with. May use `labels` and below."""
