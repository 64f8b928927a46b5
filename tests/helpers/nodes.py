"""A Ray cluster of separate nodes on this machine, which share no disk and do not see the driver's.

Each node is a `ray start` of its own, with its own temporary, working and home folder, in
namespaces of its own: the folders of the driver are hidden from it, and to kill the node's first
process is to lose the node.
"""

import contextlib
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.helpers.jobs import ROOT, wait_until
from tests.helpers.ports import free_port

# a node is taken for lost after seconds, not half a minute
SOON_LOST = json.dumps({"health_check_period_ms": 1000, "health_check_failure_threshold": 10})
STORE_BYTES = 120 * 2**20
# a node ends with the tests, whatever becomes of them
APART = [
    "setpriv",
    "--pdeathsig=KILL",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "--mount-proc",
]
if os.geteuid() != 0:
    APART.append("--map-root-user")


def require_namespaces() -> None:
    """Skip the test, and say so, where folders cannot be hidden from a process."""
    if not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("no 'unshare' and 'setpriv' here: folders cannot be hidden from a node")
    tried = subprocess.run([*APART, "true"], capture_output=True, text=True, check=False)  # noqa: S603  # a constant
    if tried.returncode:
        pytest.skip(f"folders cannot be hidden from a node here: {tried.stderr.strip()}")


class Nodes:
    """A head that computes nothing, and workers that can be added, drained and killed."""

    def __init__(self, hidden: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Start the head.

        Args:
            hidden: folders that no node sees, beside that of the code.
            environment: variables of every node, as its role would give them.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="rs-", dir="/tmp"))  # sockets have short names
        self._hidden, self._python = [ROOT, *hidden], Path(sys.prefix).resolve()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._gcs, self._server = free_port(), free_port()
        self.token = secrets.token_hex(24)
        self._environment = dict(environment)
        self._start(
            "head",
            *("--head", f"--port={self._gcs}", "--num-cpus=0", f"--system-config={SOON_LOST}"),
            *("--dashboard-host=127.0.0.1", f"--dashboard-port={self._server}"),
        )
        wait_until(self._answers, at_most_s=60)

    @property
    def address(self) -> str:
        """Of the job server."""
        return f"http://127.0.0.1:{self._server}"

    @property
    def variables(self) -> dict[str, str]:
        """What a person sets to reach the cluster."""
        return {
            "RAY_ADDRESS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
        }

    def add(self, *names: str, cpus: int = 1) -> None:
        """Start worker nodes, and wait until the head knows them."""
        before = self.alive()
        for name in names:
            label = f"--labels=name={name}"
            self._start(name, f"--address=127.0.0.1:{self._gcs}", f"--num-cpus={cpus}", label)
        wait_until(lambda: self.alive() == before + len(names), at_most_s=120)

    def kill(self, name: str) -> None:
        """Lose a node, with all its processes at once."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def drain(self, name: str, notice_s: int) -> None:
        """Tell the head that a node will be taken back, as a cloud does of a spot node."""
        [node] = [each["node_id"] for each in self._nodes() if each["labels"].get("name") == name]
        command = [sys.executable, "-m", "ray.scripts.scripts", "drain-node", f"--node-id={node}"]
        subprocess.run(  # noqa: S603  # Ray's own command
            [
                *command,
                f"--address=127.0.0.1:{self._gcs}",
                "--reason=DRAIN_NODE_REASON_PREEMPTION",
                "--reason-message=a test takes it back",
                f"--deadline-remaining-seconds={notice_s}",
            ],
            env={**os.environ, **self.variables, "RAY_ADDRESS": ""},
            check=True,
            capture_output=True,
        )

    def names_with(self, command: str) -> list[str]:
        """Names of the workers on which a process of this name runs."""
        found = []
        for name, process in self._processes.items():
            for each in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):  # it has just ended
                    if command in " ".join(each.cmdline()):
                        found.append(name)
                        break
        return found

    def alive(self) -> int:
        """How many nodes the head counts."""
        return len(self._nodes())

    def _nodes(self) -> list[dict[str, Any]]:
        found = json.loads(self.ask("/api/v0/nodes?detail=1"))["data"]["result"]["result"]
        return [node for node in found if node["state"] == "ALIVE"]

    def ask(self, path: str) -> str:
        """Ask the head's server as any other program would."""
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.address}{path}", headers=headers)  # noqa: S310  # loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # as above
            text: str = answer.read().decode()
        return text

    def logs(self) -> Iterator[tuple[Path, bytes]]:
        """Every log of every node."""
        for path in self._folder.rglob("logs/**/*"):
            if path.is_file():
                yield path, path.read_bytes()

    def close(self) -> None:
        """End all nodes, and remove what they wrote."""
        for name in [*self._processes]:
            self.kill(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.alive() == 1
        return False

    def _start(self, name: str, *options: str) -> None:
        home = self._folder / name
        (home / "work").mkdir(parents=True)
        start = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
            *("--node-ip-address=127.0.0.1", f"--object-store-memory={STORE_BYTES}"),
            *("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
            *(f"--temp-dir={home}/t", "--disable-usage-stats", *options),
        ]
        script = f"{self._hide(home)}\ncd {home}/work\nexec {shlex.join(start)}"
        with (home / "said").open("wb") as said:
            self._processes[name] = subprocess.Popen(  # noqa: S603  # our own script
                [*APART, "bash", "-ec", script],
                env={
                    **self._environment,
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    "HOME": str(home),
                    "RAY_AUTH_MODE": "token",
                    "RAY_AUTH_TOKEN": self.token,
                    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
                },
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _hide(self, home: Path) -> str:
        """Shell lines that cover the hidden folders, but for the Python environment inside."""
        lines = [f"mkdir {home}/python", f"mount --bind {self._python} {home}/python"]
        for folder in self._hidden:
            lines.append(f"mount -t tmpfs none {folder}")
            if self._python.is_relative_to(folder):
                lines += [f"mkdir -p {self._python}"]
                lines += [f"mount --bind {home}/python {self._python}"]
        lines.append(f"test ! -e {ROOT}/lib")
        return "\n".join(lines)


@contextlib.contextmanager
def separate_nodes(
    workers: Sequence[str], hidden: Sequence[Path], environment: Mapping[str, str]
) -> Iterator[Nodes]:
    """A cluster of a head and workers of one CPU each."""
    require_namespaces()
    nodes = Nodes(hidden, environment)
    try:
        nodes.add(*workers)
        yield nodes
    finally:
        nodes.close()
