"""Readers of what comes from outside, fed with any bytes: each ends with a value or our error."""
