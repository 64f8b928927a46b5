"""Objects and files anywhere, by URI: whole or not at all, with retries. May use `config`."""
