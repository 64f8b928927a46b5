"""One DDP worker's training, from labelled photos to the best model, and its int8 form.

May use `evaluation`, `models`, `runs` and all below them.
"""
