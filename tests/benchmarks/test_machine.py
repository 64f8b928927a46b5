from pathlib import Path

import pytest

from benchmarks.machine import cores


@pytest.mark.parametrize(
    ("siblings", "said"),
    [
        (["0", "1"], "2 cores"),
        (["0-1", "0-1"], "2 threads of 1 core"),
        (["0,2", "1,3", "0,2", "1,3"], "4 threads of 2 cores"),
        (["0"], "1 core"),
    ],
)
def test_threads_of_one_core_are_told_from_cores(
    siblings: list[str], said: str, tmp_path: Path
) -> None:
    for number, each in enumerate(siblings):
        topology = tmp_path / f"cpu{number}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{each}\n")

    assert cores(tmp_path) == said
