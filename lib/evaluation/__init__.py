"""Predictions compared with known labels: accuracy, calibration, the threshold.

May use `labels` and all below it.
"""
