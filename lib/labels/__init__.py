"""Published labels: the Delta table, the decisions in it, and the gates before it.

May use the catalog, images, taxonomies and embeddings, and all below them.
"""
