"""Run reports: one self-contained HTML file per run.

May use every other room but `cluster`.
"""
