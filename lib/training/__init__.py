"""One DDP worker's training. May use `evaluation`, `models`, `runs`, and below."""
