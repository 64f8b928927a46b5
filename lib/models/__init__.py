"""Bundles, their networks and heads, and the runtimes and precisions these run with.

May use `labels` and all below it.
"""
