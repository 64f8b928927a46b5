"""The parts of Reshelve, each with one reason to exist."""
