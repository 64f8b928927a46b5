"""Moto's S3 server on loopback, for benchmarks, until its standard input ends.

It prints its port. Once it reads the line `share`, a process per core serves what has been written
until then; what is written later is seen by one of them alone.
"""

import logging
import os
import socket
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


def main() -> None:
    """Serve."""
    # a listing that goes on in another process fails, and its client begins anew: nobody wants the
    # traceback
    logging.disable()
    application = DomainDispatcherApplication(create_backend_app)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        serve(application, listening)
        print(listening.getsockname()[1], flush=True)  # noqa: T201  # the benchmark reads it
        if sys.stdin.readline():
            for _ in range((os.cpu_count() or 1) - 1):
                if not os.fork():
                    serve(application, listening)
                    break
            else:
                print("shared", flush=True)  # noqa: T201  # as above
            sys.stdin.read()


def serve(application: DomainDispatcherApplication, listening: socket.socket) -> None:
    """Answer on a thread; several processes may take from one socket."""
    host, port = listening.getsockname()
    server = make_server(host, port, application, threaded=True, fd=listening.fileno())
    threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    main()
