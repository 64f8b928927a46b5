"""Trainings logged in MLflow, beside their run folders. May use all rooms but those beside it."""
