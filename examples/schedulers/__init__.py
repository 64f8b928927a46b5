"""A night as some schedulers would run it; docs/scheduling.md says what they have in common."""
