"""Draws a product catalog of 720 pictures, so that the demo needs no data."""
