"""Taxonomies, what one says it replaces, and the migration from one to another.

May use `storage` and `config`.
"""
