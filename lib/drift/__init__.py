"""How far a night is from its training and from the nights before. May use `embeddings`."""
