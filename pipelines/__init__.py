"""Compositions: each file reads, top to bottom, as the steps of one job."""
