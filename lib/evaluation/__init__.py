"""Predictions compared with known labels; calibration. May use `labels` and below."""
