"""People's answers in and out, and what they teach. May use `evaluation`, `labels` and below."""
