"""One unit of a classification, from its items to its shard.

May use `evaluation`, `models`, `runs` and all below them.
"""
