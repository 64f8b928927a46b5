# ruff: noqa: T201  # they speak to a person
"""Reshelve's accuracy beside fastai, timm's recipe and a frozen head: same weights, same labels.

    make bench-accuracy            # an hour at most
    make bench-accuracy QUICK=1    # one draw of 10 labels, 10 minutes at most

Photos of `--photos` lie in `train`, `test` and maybe `validation`, each by category. All contenders
get the same draws and are asked about all of `test`; each has the whole machine for itself, and a
time limit. What is wanted most comes first: what no time is left for is said, and is null in the
JSON object of the last line. All that was made stays in benchmarks/out/accuracy.
"""

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    data = needs.shared()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--photos", type=Path, default=data / "data" / "clothing")
    parser.add_argument("--taxonomy", type=Path, default=Path("jobs/runs/clothing-taxonomy.yaml"))
    parser.add_argument(
        "--tiny", type=Path, default=data / "weights" / "resnet18-tiny-imagenet.safetensors"
    )
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    asked = arguments()
    needs.check(
        needs.data(asked.photos, "folders of photos by side and category"),
        needs.data(asked.tiny, "weights of a ResNet-18"),
        needs.peers("bench-accuracy"),
        needs.memory_gib(4),
    )

from benchmarks import accuracy_promises, accuracy_table
from benchmarks.accuracy_contenders import FROZEN, OURS, PEERS, Turn, take_turn
from benchmarks.backbones import Backbone, efficientnet_lite0, tiny_resnet18
from benchmarks.labels import ALL, check_photos, draw
from benchmarks.machine import processor
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import read_taxonomy

LIMIT_S, QUICK_LIMIT_S = 56 * 60.0, 9 * 60.0  # an evaluation may take a little more
TURN_LIMITS_S = {"10": 600.0, "30": 600.0, ALL: 900.0}
OUT = Path(__file__).parent / "out" / "accuracy"
KEYS = (
    "acc_10", "acc_30", "acc_all", "peer_10", "peer_30", "peer_all",
    "tiny_10", "tiny_30", "tiny_all", "train_s", "first_bundle_s", "head_s",
    "ece_all", "ece_10", "broken_10", "broken_all", "balanced_below_90",
    "coverage_strict", "coverage",
)  # fmt: skip
Planned = tuple[str, str, str, int]  # contender, backbone, labels, seed


def plan(*, quick: bool) -> tuple[list[Planned], list[Planned]]:
    """Return the turns before the redraws and those after, each in order."""

    def all_of(
        contenders: Sequence[str], backbone: str, labels: str, seed: int = 0
    ) -> list[Planned]:
        return [(each, backbone, labels, seed) for each in contenders]

    trained = [peer for peer in PEERS if peer not in FROZEN]
    few = [*all_of((OURS, *FROZEN), "lite0", "10"), (OURS, "tiny", "10", 0)]
    if quick:
        return [*few, *all_of(trained, "lite0", "10")], []
    first = [
        (OURS, "lite0", ALL, 0),
        *few,
        *all_of((OURS, *FROZEN), "lite0", "30"),
        *all_of(FROZEN, "lite0", ALL),
    ]
    more = [
        *((OURS, "tiny", labels, 0) for labels in ("30", ALL)),
        *all_of(trained, "lite0", "10"),
        *all_of(trained, "lite0", "30"),
        *all_of(trained, "lite0", ALL),
    ]
    for seed in (1, 2):
        more += [*all_of((OURS, *PEERS), "lite0", "10", seed), (OURS, "tiny", "10", seed)]
    return first, [*more, *all_of(PEERS, "tiny", "10")]


class Contest:
    """The turns that were taken, and the time that is left."""

    def __init__(self, photos: Path, taxonomy: Path, backbones: list[Backbone], end: float) -> None:
        """Keep what all contenders get."""
        self.turns: list[Turn] = []
        self._photos, self._taxonomy, self._end = photos, taxonomy, end
        self._backbones = {each.name: each for each in backbones}

    def take(self, turns: list[Planned]) -> None:
        """Let contenders take their turns, as long as there is time."""
        for contender, name, labels, seed in turns:
            limit_s = min(TURN_LIMITS_S[labels], self._end - time.monotonic())
            drawn = draw(self._photos, labels, seed, OUT / f"{name}-{labels}-{seed}")
            turn = take_turn(contender, self._backbones[name], drawn, self._taxonomy, limit_s)
            self.turns.append(turn)
            print(
                f"{name}, {labels} labels, seed {seed}, {contender}: "
                f"{turn.failure or 'done'} after {turn.train_s:.0f} s",
                flush=True,
            )


def main() -> None:
    """Draw labels, let all train, print a table and one JSON object."""
    given = arguments()
    end = time.monotonic() + (QUICK_LIMIT_S if given.quick else LIMIT_S)
    photos, taxonomy_file = given.photos.resolve(), given.taxonomy.resolve()
    taxonomy = read_taxonomy(str(taxonomy_file), Storage(StorageConfig()))
    check_photos(photos, taxonomy)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    print(processor(), flush=True)
    backbones = [efficientnet_lite0(OUT), tiny_resnet18(given.tiny.resolve())]
    contest = Contest(photos, taxonomy_file, backbones, end)
    first, more = plan(quick=given.quick)
    contest.take(first)
    settings = [accuracy_promises.FEW] if given.quick else accuracy_promises.SETTINGS
    promised = accuracy_promises.measure(photos, taxonomy_file, settings, OUT / "head", end)
    contest.take(more)
    rows = accuracy_table.to_rows(contest.turns, taxonomy)
    accuracy_table.print_table(rows)
    figures = accuracy_table.to_goals(rows, contest.turns)
    found: dict[str, Any] = {**figures, **promised}
    told = json.dumps({key: found[key] and round(found[key], 3) for key in KEYS})
    (OUT / "figures.json").write_text(told)
    print(f"\n{told}")


if __name__ == "__main__":
    main()
