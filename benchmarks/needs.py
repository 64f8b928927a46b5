"""What a benchmark needs and this machine lacks, said before anything slow is imported.

A benchmark calls `check` at its top where it is the program, with one call below for each need:

    if __name__ == "__main__":
        needs.check(needs.data("clothing"), needs.peers("bench-search"), needs.memory_gib(4))
"""

import importlib.util
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = Path(__file__).resolve().parent / "out"
# in `OUT`, by the target of the Makefile that installs them there and leaves `.installed`
PEERS = {
    "bench": "peers",
    "bench-accuracy": "fastai",
    "bench-search": "search-peers",
    "bench-copies": "copies-peers",
}
S3_ENDPOINT, S3_KEY, S3_SECRET = (
    f"RESHELVE_TEST_S3_{name}" for name in ("ENDPOINT", "KEY", "SECRET")
)
BAD_INPUT = 2  # as of the jobs, see docs/run-files.md


def check(*lacks: str | None) -> None:
    """Go on where nothing lacks.

    Args:
        lacks: a sentence for each need that is not met, None for each that is.

    Raises:
        SystemExit: something lacks; each sentence is on stderr by then.
    """
    found = [sentence for sentence in lacks if sentence]
    for sentence in found:
        print(sentence, file=sys.stderr)  # noqa: T201  # it speaks to a person
    if found:
        sys.exit(BAD_INPUT)


def tell(lack: str | None) -> None:
    """Say what lacks where the rest can be measured without it."""
    if lack:
        print(f"{lack}; what needs it is not measured", file=sys.stderr)  # noqa: T201  # as above


def shared() -> Path:
    """Return the folder with `data` and `weights`: `RESHELVE_SHARED`, or `../shared`."""
    return Path(os.environ.get("RESHELVE_SHARED", ROOT.parent / "shared")).resolve()


def data(path: Path | str, what: str) -> str | None:
    """Say what lacks where a file or a folder that is not empty should be.

    Args:
        path: where; a relative one is in the folder `shared`.
        what: what should be there, in the plural.
    """
    place = path.resolve() if isinstance(path, Path) else shared() / path
    if place.is_file() or (place.is_dir() and any(place.iterdir())):
        return None
    hint = "give another place" if isinstance(path, Path) else "set RESHELVE_SHARED to a folder"
    other = "" if isinstance(path, Path) else f" that has {path}"
    return f"{place} is not there or empty: expected {what}; {hint}{other}"


def peers_folder(target: str) -> Path:
    """Return where `make TARGET` installs what it compares with."""
    return OUT / PEERS[target]


def peers(target: str) -> str | None:
    """Say that the peers of a benchmark are not installed, and what installs them."""
    if (peers_folder(target) / ".installed").exists():
        return None
    return (
        f"{peers_folder(target)}: the programs to compare with are not installed; "
        f"`make {target}` installs them, and then measures"
    )


def module(name: str) -> str | None:
    """Say that a library of the development environment is not installed."""
    if importlib.util.find_spec(name):
        return None
    return f"the library {name} is not installed; `make .venv/.installed` installs it"


def s3_store() -> str | None:
    """Say what lacks to reach the S3 store that the environment names, or to start moto's."""
    if not os.environ.get(S3_ENDPOINT):
        return module("moto")
    missing = [name for name in (S3_KEY, S3_SECRET) if not os.environ.get(name)]
    if not missing:
        return None
    return f"{S3_ENDPOINT} names a store; set {' and '.join(missing)}, too, or none of the three"


def memory_gib(least: float) -> str | None:
    """Say that less memory is free than so many GiB."""
    free = free_memory_gib()
    if free >= least:
        return None
    return (
        f"{least:.1f} GiB of memory are needed and {free:.1f} are free; end other programs, "
        "or take a machine with more"
    )


def free_memory_gib() -> float:
    """Return the GiB that this process may yet take: of the machine, its control group, a limit."""
    available = Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]
    limits = [int(available) << 10]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        limits.append(limit)
    group = Path("/sys/fs/cgroup/memory.max")
    if group.exists() and (most := group.read_text().strip()).isdigit():
        limits.append(int(most))
    return min(limits) / 2**30


def disk_gib(least: float) -> str | None:
    """Say that less than so many GiB are free where temporary files lie."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free / 2**30
    if free >= least:
        return None
    return (
        f"{folder}: {least:.1f} GiB of disk are needed and {free:.1f} are free; "
        "set TMPDIR to a folder with more"
    )
