"""What travels to a cluster: this program's own packages, and one run file beside them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import lib
from lib.errors import InputError

PACKAGES = ("jobs", "lib", "pipelines")  # all else (data, tests, environments) stays here
RUN_FILE = "run.yaml"
LIMIT_MB = 50.0  # every node of a job unpacks it; Ray itself refuses 500
_CACHES = ("__pycache__", "*.pyc")


def code_root() -> Path:
    """Folder that holds the packages."""
    return Path(lib.__file__).resolve().parents[1]


def pack(root: Path, run_file: str, target: Path) -> float:
    """Copy the packages below `root` into the empty folder `target`, and write the run file there.

    Args:
        root: the folder of the packages.
        run_file: the run file's text.
        target: what is to be shipped.

    Returns:
        The size of what is shipped, in MB of 2**20 bytes, before it is compressed.

    Raises:
        InputError: it is too large to ship; names the largest file.
    """
    sizes = {path: path.stat().st_size for path in _files(root)}
    size_mb = (sum(sizes.values()) + len(run_file.encode())) / 2**20
    if size_mb > LIMIT_MB:
        largest = max(sizes, key=sizes.__getitem__)
        raise InputError(
            f"{root}: the code is {size_mb:,.0f} MB, and at most {LIMIT_MB:.0f} MB are shipped; "
            f"the largest file is {largest.relative_to(root)}: keep data and weights in a store"
        )
    for name in PACKAGES:
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns(*_CACHES))
    (target / RUN_FILE).write_text(run_file)
    return size_mb


def _files(root: Path) -> Iterator[Path]:
    for name in PACKAGES:
        for path in (root / name).rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                yield path
