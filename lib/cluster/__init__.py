"""The only room that knows Ray: pools, workers, jobs, metrics. May use all but `reports`."""
