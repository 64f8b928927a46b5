"""A port on which nothing listens."""

import socket

RAYS_OWN = 52365  # of the agent of its dashboard: Ray refuses it for anything else


def free_port() -> int:
    """Return one that the system gives out just now."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
        if port != RAYS_OWN:
            return port
