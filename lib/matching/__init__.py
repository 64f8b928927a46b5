"""Pairs of the same product: what titles say, candidates, scores, bands and clusters.

May use all rooms below training, inference and backfill.
"""
