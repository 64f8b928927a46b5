"""Taxonomies, and the migration from one to another. May use `storage`."""
