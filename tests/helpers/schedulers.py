"""What the examples of schedulers run against: a folder as theirs, and a server that takes mail."""

import os
import shlex
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import yaml

from tests.helpers import catalogs
from tests.helpers.jobs import ROOT

EXAMPLES = ROOT / "examples" / "schedulers"
INSTALLED = ROOT / "benchmarks" / "out" / "schedulers"  # by `make test-examples`
THEIRS = "/srv/reshelve"
REFUSED = "nonsense: 1\n"


@dataclass(frozen=True)
class Place:
    """A folder that stands for /srv/reshelve, with the command in it."""

    folder: Path

    def prepare(self) -> None:
        """Put the command there, as an environment of its own would have it."""
        command = self.folder / ".venv" / "bin" / "reshelve"
        command.parent.mkdir(parents=True)
        started = shlex.join([sys.executable, "-m", "jobs"])
        command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {started} "$@"\n')
        command.chmod(0o755)

    def stand_in(self, code: int) -> None:
        """Let the command end with a code at once, and count how often it was asked."""
        command = self.folder / ".venv" / "bin" / "reshelve"
        told = f'{{"exit_code": {code}}}'
        command.write_text(f"#!/bin/sh\necho >> asked\necho '{told}'\nexit {code}\n")

    def copy(self, name: str) -> Path:
        """Copy an example here, with this folder in the place of theirs."""
        copied = self.folder / name
        copied.write_text((EXAMPLES / name).read_text().replace(THEIRS, str(self.folder)))
        copied.chmod((EXAMPLES / name).stat().st_mode)
        return copied

    def refuse(self) -> None:
        """Give it a run file that cannot be used."""
        (self.folder / "night.yaml").write_text(REFUSED)

    def let_run(self) -> None:
        """Give it a run file, a catalog and a bundle."""
        pictures = catalogs.pictures(8)
        manifest = catalogs.write_catalog(str(self.folder / "images"), pictures)
        catalogs.make_bundle(str(self.folder / "bundle"), architecture="squeezenet1_1")
        described = {
            "catalog": {"uri": manifest},
            "bundle": str(self.folder / "bundle"),
            "engine": {"device": "cpu", "precision": "fp32", "actors": 1, "cpus_per_actor": 1},
        }
        (self.folder / "night.yaml").write_text(yaml.safe_dump(described))


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a scheduler, without what leads a job to a cluster or to Python."""
    return {
        name: value
        for name, value in {**os.environ, **more}.items()
        if name not in ("RAY_ADDRESS", "PYTHONPATH", "VIRTUAL_ENV")
    }


@dataclass
class Mailbox:
    """A mail server on this machine, and the mail that it has taken."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """What each mail says."""
        parts = [mail.get_body(("html", "plain")) for mail in self.mails]
        return [part.get_content() if part else "" for part in parts]


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Take mail as any server does (RFC 5321), and keep it."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    box.mails.append(message_from_bytes(b"".join(lines), policy=default))
                self.wfile.write(b"250 well\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield box
        server.shutdown()
        thread.join()
