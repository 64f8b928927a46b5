"""The desk, a page where people decide. May use `search`, `runs` and below."""
