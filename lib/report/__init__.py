"""Run reports: one self-contained HTML file a run."""
