"""A shop of real product photos with titles, for docs/search-and-match.md."""
