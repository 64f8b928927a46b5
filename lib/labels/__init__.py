"""Published labels: table, decisions, gates. May use `catalog` to `taxonomy`, and below."""
