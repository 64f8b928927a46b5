"""The store of embeddings, and where each one lies in it. May use `storage`."""
