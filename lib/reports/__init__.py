"""Reports: one self-contained HTML file per run. May use all rooms but `cluster`."""
