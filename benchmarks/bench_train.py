# ruff: noqa: T201  # they speak to a person
"""What DDP under Ray costs beside a plain torchrun script, and what a lost worker costs.

    make bench-train

Both train the default network at 96 px on the same drawn photos with the same step, one thread a
worker, in turns; of each turn the fastest epoch after the first counts, and of the rounds the
median. On a machine with other work, go by the cores' time, in which both have their checkpoints.
Two workers of one thread are compared with one of two threads. A second training of the same large
photos is compared with the first: how long it takes until its first step. Then the losses of 1, 2
and 4 workers at one global batch, beside those of one worker with another seed; and a worker is
killed in the middle of an epoch. The last line is a JSON object.
"""

import argparse
import json
import os
import re
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    arguments()
    needs.check(needs.memory_gib(4))

from benchmarks.drawn_photos import DrawnPhotos, draw_large, draw_photos
from benchmarks.machine import processor
from benchmarks.timed import run_timed
from benchmarks.watched_training import Watched, watch_training
from lib.cluster.connection import connected

PHOTOS, HELD_OUT, BATCH = 128, 5, 32
EPOCHS, EPOCHS_OF_CURVES = 8, 4  # while the first ones run, Ray is still starting
LARGE, LARGE_SIZE = 1_024, (1_600, 1_200)
LIMIT_S = 300.0  # of a turn of the script
LEAST_SHARE = 0.95  # of the script's images/s
MOST_BETWEEN_S, MOST_LOST_EPOCHS = 1.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What one turn was measured at: images/s per worker, and milliseconds of a core per image."""

    images_per_s: float
    core_ms: float


def run_script(drawn: DrawnPhotos, workers: int) -> Speed:
    """Let the script take a turn."""
    command = [
        "torch.distributed.run", "--standalone", f"--nproc-per-node={workers}",
        "-m", "benchmarks.peers.torchrun_step",
        "--photos", str(drawn.tensors), "--weights", str(drawn.initial),
        "--batch-size", str(BATCH), "--epochs", str(EPOCHS),
        "--checkpoint", str(drawn.folder / "script.pt"),
    ]  # fmt: skip
    ran = run_timed(command, LIMIT_S, drawn.folder / "script.log", {"OMP_NUM_THREADS": "1"})
    if ran.failure:
        raise SystemExit(f"the script has failed: {ran.failure}")

    def said(what: str) -> list[float]:
        return [float(each) for each in re.findall(rf"{what} (\S+)", ran.said)[1:]]

    return Speed(images_per_s=max(said("images_per_s")) / workers, core_ms=min(said("core_ms")))


def run_ours(drawn: DrawnPhotos, workers: int, name: str) -> tuple[Speed, list[float]]:
    """Let our trainer take a turn; return the seconds between its epochs too."""
    watched = watch_training(drawn.job(name, BATCH, EPOCHS), workers)
    speed = Speed(images_per_s=watched.images_per_s / workers, core_ms=watched.core_ms(PHOTOS))
    return speed, watched.between_s


def compare(drawn: DrawnPhotos, workers: int, rounds: int) -> tuple[dict[str, float], list[float]]:
    """Return speeds and our share of the script's, and the seconds between epochs."""
    pairs: list[tuple[Speed, Speed]] = []
    between_s: list[float] = []
    for number in range(rounds):
        name = f"speed-{workers}-{number}"
        # whoever begins may find the machine otherwise than who comes after
        if number % 2:
            script = run_script(drawn, workers)
            ours, seconds = run_ours(drawn, workers, name)
        else:
            ours, seconds = run_ours(drawn, workers, name)
            script = run_script(drawn, workers)
        pairs.append((ours, script))
        between_s += seconds
        print(
            f"{workers} workers, round {number + 1}: images/s per worker {ours.images_per_s:.1f}, "
            f"script {script.images_per_s:.1f}; core-ms an image {ours.core_ms:.1f}, "
            f"script {script.core_ms:.1f}",
            flush=True,
        )
    found = {
        "images_per_s": statistics.median(ours.images_per_s for ours, _ in pairs),
        "script_images_per_s": statistics.median(script.images_per_s for _, script in pairs),
        "share": statistics.median(ours.images_per_s / its.images_per_s for ours, its in pairs),
        "core_share": statistics.median(its.core_ms / ours.core_ms for ours, its in pairs),
    }
    return {key: round(value, 3) for key, value in found.items()}, between_s


def compare_threads(drawn: DrawnPhotos, rounds: int) -> dict[str, float]:
    """Return the images/s of two workers of one thread, as a multiple of one's of two threads."""
    ratios = []
    for number in range(rounds):
        # workers, and threads of each
        pair = [(2, 1), (1, 2)] if number % 2 else [(1, 2), (2, 1)]
        speeds = {}
        for workers, threads in pair:
            job = drawn.job(f"threads-{workers}-{number}", BATCH, EPOCHS)
            watched = watch_training(job, workers, threads=threads)
            speeds[workers] = watched.images_per_s
            print(
                f"{workers} workers of {threads} threads: {watched.images_per_s:.1f} images/s, "
                f"{watched.core_ms(PHOTOS):.1f} core-ms an image",
                flush=True,
            )
        ratios.append(speeds[2] / speeds[1])
    return {"workers_ratio": round(statistics.median(ratios), 3)}


def train_twice(drawn: DrawnPhotos) -> dict[str, float]:
    """Return the seconds, and the workers' CPU seconds, until the first step of two trainings."""
    large = replace(drawn, items=draw_large(drawn.folder, LARGE, LARGE_SIZE))
    found = {}
    for name in ("first", "second"):
        watched = watch_training(large.job(f"twice-{name}", BATCH, 2), 2)
        found[f"{name}_training_s"] = round(watched.first_step_s, 1)
        found[f"{name}_training_cpu_s"] = round(watched.first_step_cpu_s, 1)
        print(
            f"{name} training of {LARGE} photos: first step after {watched.first_step_s:.1f} s, "
            f"{watched.first_step_cpu_s:.1f} CPU s",
            flush=True,
        )
    return found


def distance(one: Watched, other: Watched) -> float:
    """Return the greatest difference of two curves' training losses, in nats."""
    return max(abs(a - b) for a, b in zip(one.losses, other.losses, strict=True))


def compare_curves(drawn: DrawnPhotos) -> dict[str, float]:
    """Return how far the losses of 2 and 4 workers are from those of one."""
    alone, two, four = [
        watch_training(drawn.job(f"curve-{workers}", BATCH, EPOCHS_OF_CURVES), workers)
        for workers in (1, 2, 4)
    ]
    reseeded = watch_training(drawn.job("curve-seed", BATCH, EPOCHS_OF_CURVES, seed=1), 1)
    curves = {"1": alone, "2": two, "4": four, "1, another seed": reseeded}
    for name, each in curves.items():
        print(f"losses, {name}: {', '.join(f'{loss:.3f}' for loss in each.losses)}", flush=True)
    return {
        "curves_2": round(distance(alone, two), 3),
        "curves_4": round(distance(alone, four), 3),
        "curves_seed": round(distance(alone, reseeded), 3),
    }


def lose_worker(drawn: DrawnPhotos) -> dict[str, float]:
    """Return what is done again after a worker is killed in the third epoch of four, in epochs."""
    watched = watch_training(drawn.job("lost", BATCH, 4), 2, kill_in=3)
    assert watched.killed_at_s is not None
    epochs = [record.epoch for record in watched.records]
    before = [at for at in watched.at_s if at < watched.killed_at_s]
    after = len(before)
    # of the epoch under way, and of those that were recorded a second time
    unrecorded = (watched.killed_at_s - before[-1]) / watched.records[after - 1].seconds
    again = len(epochs) - len(set(epochs))
    back_s = watched.at_s[after] - watched.records[after].seconds - watched.killed_at_s
    print(f"a worker killed: epochs {epochs}, back at work after {back_s:.1f} s", flush=True)
    return {"lost_epochs": round(unrecorded + again, 2), "back_s": round(back_s, 1)}


def main() -> None:
    """Measure, and print one JSON object."""
    given = arguments()
    print(processor(), flush=True)
    with tempfile.TemporaryDirectory() as name, ExitStack() as cluster:
        os.environ["XDG_CACHE_HOME"] = name  # decoded photos that no other training has kept
        cluster.enter_context(connected())
        drawn = draw_photos(Path(name), PHOTOS, HELD_OUT)
        one, between_1 = compare(drawn, 1, given.rounds)
        two, between_2 = compare(drawn, 2, given.rounds)
        between_s = statistics.median([*between_1, *between_2])
        threads = compare_threads(drawn, given.rounds)
        twice = train_twice(drawn)
        curves = compare_curves(drawn)
        lost = lose_worker(drawn)
    figures = {
        **{f"{key}_1": value for key, value in one.items()},
        **{f"{key}_2": value for key, value in two.items()},
        "between_epochs_s": round(between_s, 2),
        **threads,
        **twice,
        **curves,
        **lost,
    }
    print(json.dumps(figures))
    share = min(one["core_share"], two["core_share"])
    if share < LEAST_SHARE or between_s > MOST_BETWEEN_S or lost["lost_epochs"] > MOST_LOST_EPOCHS:
        raise SystemExit("training is slower, or loses more, than it should")


if __name__ == "__main__":
    main()
