"""The store of embeddings, and where in it each one lies.

May use `storage` and `config`.
"""
