"""One command each: what Reshelve takes in seconds, memory and requests, and what peers take."""
