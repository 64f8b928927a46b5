"""Run folders: plan, shards, receipts, manifest, figures and state of one execution.

May use `labels` and all below it.
"""
