"""Open a page where people decide: `python -m jobs.desk DESK.yaml`."""

import signal
import webbrowser
from typing import Annotated

import typer

from jobs.command import reporting, run
from jobs.options import RunFile, Settings


def main(
    run_file: RunFile,
    settings: Settings = None,
    *,
    host: Annotated[
        str, typer.Option(help="Listen on this address; others need a token.", metavar="HOST")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Listen on this port.", metavar="PORT")
    ] = 8765,
    user_header: Annotated[
        str | None, typer.Option(help="Where a reverse proxy names the user.", metavar="HEADER")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Open a page where people decide what is on doubtful photos."""
    # a service manager's stop ends it as Ctrl-C does, and with it the job that runs
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with reporting() as say:
        from lib.config.config import load_run_file
        from lib.desk.config import DeskConfig
        from pipelines.desk import Listening, app_of, opened, serve, token_for

        config = load_run_file(DeskConfig, run_file, settings or ())
        place = Listening(host=host, port=port, token=token_for(host, user_header))
        with opened(config, say) as desk:
            show = webbrowser.open if browser else None
            serve(app_of(desk, host, place.token, user_header), place, say, show)


if __name__ == "__main__":
    run(main)
