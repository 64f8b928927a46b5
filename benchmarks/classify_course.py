# ruff: noqa: T201  # they speak to a person
"""The course of the classification benchmark: what is laid out, who runs when, what is told."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import needs, roofline, small_night
from benchmarks.agreement import measure_agreement
from benchmarks.classify_figures import (
    BARE,
    DEFAULT,
    DISK,
    LARGE,
    OURS,
    S3,
    print_figures,
    to_figures,
)
from benchmarks.contenders import FailedError
from benchmarks.contest import BATCH, LIBRARIES, PLAIN, TUNED, Contest, print_table
from benchmarks.machine import processor
from benchmarks.models import Model, fit_default, fit_resnet
from benchmarks.photos import enlarge, lay_out, upload
from benchmarks.s3_store import Store
from benchmarks.timed import run_timed
from lib.models.openvino_runtime import is_installed

CONTENDERS = {
    S3: (OURS, *LIBRARIES, PLAIN),
    DISK: (OURS, PLAIN, TUNED),
    LARGE: (OURS, TUNED, *LIBRARIES),
    DEFAULT: (OURS,),
}
STEADY_S, LEAST_ITEMS = 20.0, 640  # how long ours is kept busy, and with how many at least
RUNTIMES_LIMIT_S, NIGHT_LIMIT_S = 75.0, 90.0
ROUND_S = 120.0  # a round of one contest may take so long
OF_LARGE = 64  # that the roofline is measured on
Found = TypeVar("Found")


class Course:
    """One benchmark; what fails is said, and its figures are null."""

    def __init__(self, shared: Path, folder: Path, end: float) -> None:
        """Find the photos.

        Args:
            shared: the folder with `data` and `weights`.
            folder: takes all that is written, but for the trained models.
            end: when the last contender must have ended, by `time.monotonic`.
        """
        self._web = sorted((shared / "data" / "imagenet-samples").glob("*.JPEG"))
        self._clothing = shared / "data" / "clothing"
        self._weights = shared / "weights" / "resnet18-tiny-imagenet.safetensors"
        self._taxonomy = needs.ROOT / "jobs" / "runs" / "clothing-taxonomy.yaml"
        self._folder, self._end = folder, end
        self._contests: dict[str, Contest] = {}
        self._floors: dict[str, dict[str, float]] = {}
        self._found: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}

    def lay_out(self, store: Store, bucket: str, items: int) -> None:
        """Train, measure the floors, and put as many images in each place as its floor wants.

        Raises:
            SystemExit: there is no model to measure with.
        """
        needs.OUT.mkdir(exist_ok=True)
        try:
            resnet = fit_resnet(self._clothing, self._weights, self._taxonomy, needs.OUT)
        except FailedError as error:
            raise SystemExit(str(error)) from None
        default = self._try(DEFAULT, lambda: fit_default(self._clothing, self._taxonomy, needs.OUT))
        runtime = self._choose_runtime(resnet)
        large = enlarge(self._web, self._folder / "enlarged")
        files = [path.read_bytes() for path in self._web]
        self._floors[S3] = roofline.measure(resnet.bundle, files, BATCH)
        # of all kinds: how many calls are close, which costs the most, depends on what is shown
        files = [path.read_bytes() for path in large[:: max(1, len(large) // OF_LARGE)]]
        self._floors[LARGE] = roofline.measure(resnet.bundle, files, BATCH)
        print(f"roofline {self._floors[S3]}; of large photos {self._floors[LARGE]}", flush=True)
        many, few = (
            max(LEAST_ITEMS, min(items, int(STEADY_S * self._floors[name]["images_per_s"])))
            for name in (S3, LARGE)
        )
        places = {
            S3: upload(store, bucket, self._web, many, self._folder),
            DISK: lay_out("disk", self._web, many, self._folder),
            LARGE: lay_out("disk, 1,600 px", large, few, self._folder),
        }
        for name, place in places.items():
            self._contests[name] = Contest(resnet, place, self._folder, self._end, runtime)
        if default:
            self._contests[DEFAULT] = Contest(default, places[DISK], self._folder, self._end)

    def run(self, peer_items: int, rounds: int) -> None:
        """Let all run: what has goals first, then more of the same while there is time."""
        first = self._contests[S3]
        first.turn(OURS, peer_items)  # warms the machine's caches
        first.found.clear()
        for name in (S3, DISK, LARGE):
            self._round(name, peer_items)
        bundle = first.model.bundle
        self._found["small_night_s"] = self._try("small_night_s", lambda: self._night(bundle))
        if DEFAULT in self._contests:
            self._round(DEFAULT, peer_items)
        agreement = self._try(
            "label_agreement",
            lambda: measure_agreement(self._clothing, bundle, self._folder, self._left_s),
        )
        self._found["agreement"] = agreement
        if self._left_s > ROUND_S:  # it has no goal
            first.turn(BARE, first.place.items)
        for _ in range(rounds - 1):
            for name in (S3, DISK, LARGE):
                if self._left_s > ROUND_S:
                    self._round(name, peer_items)

    def tell(self, items: int, *, amx: bool) -> None:
        """Print the tables, the figures beside their goals, and one JSON object.

        Args:
            items: of the whole jobs.
            amx: whether the processor has it, of which some goals depend.
        """
        tables = {name: each.summary(items) for name, each in self._contests.items()}
        for name, contest in self._contests.items():
            store = contest.place.store
            print_table(contest.title, tables[name], store.name if store and store.is_moto else "")
            for contender, failure in contest.failures.items():
                self._reasons.setdefault(name, f"{contender}: {failure}")
        figures: dict[str, Any] = to_figures(tables, self._floors)
        figures |= {"label_agreement": None, "accuracy_change": None}
        if agreement := self._found.get("agreement"):
            change = agreement["accuracy"] - agreement["reference_accuracy"]
            figures["label_agreement"] = agreement["label_agreement"]
            figures["accuracy_change"] = round(change, 4)
        figures["small_night_s"] = self._found.get("small_night_s")
        print_figures(figures, self._reasons, amx=amx)
        told = {
            **figures,
            "processor": processor(),
            "script_runtimes": self._found.get("script_runtimes", {}),
            "roofline": self._floors.get(S3),
            "large_roofline": self._floors.get(LARGE),
            "contests": {self._contests[name].title: table for name, table in tables.items()},
        }
        print(f"\n{json.dumps(told)}")

    @property
    def _left_s(self) -> float:
        return self._end - time.monotonic()

    def _round(self, name: str, peer_items: int) -> None:
        contest = self._contests[name]
        every = contest.place.items
        # large photos take several times as long, and one round is to take no longer
        few = min(peer_items // 2 if name == LARGE else peer_items, every)
        for contender in CONTENDERS[name]:
            if contender in LIBRARIES:
                items = few
            elif contender == OURS:
                items = every
            else:  # a script's rate shows on half as many
                items = every // 2
            contest.turn(contender, items)

    def _try(self, name: str, measure: Callable[[], Found]) -> Found | None:
        """Return what is measured, or None; then it is said and kept why."""
        try:
            found = measure()
        except FailedError as error:
            self._reasons[name] = str(error)
            print(f"{name}: {error}", flush=True)
            return None
        print(f"{name}: {found}", flush=True)
        return found

    def _night(self, bundle: str) -> float:
        limit_s = min(NIGHT_LIMIT_S, self._left_s)
        return small_night.measure(self._web, bundle, self._folder / "night", limit_s)

    def _choose_runtime(self, model: Model) -> str:
        """Return what the tuned script is the fastest with on this machine."""
        options = ["--architecture", model.architecture, "--weights", model.weights]
        command = ["benchmarks.peers.script_runtimes", *options, "--batch-size", str(BATCH)]
        ran = run_timed(command, RUNTIMES_LIMIT_S, self._folder / "runtimes.log")
        rates: dict[str, float] = {}
        for line in ran.said.splitlines():
            if line.startswith("{"):
                rates |= json.loads(line)
        print(f"a script's runtimes, images/s: {rates} {ran.failure}", flush=True)
        self._found["script_runtimes"] = rates
        # most often OpenVINO is, where there was no time to see it
        likeliest = "openvino" if is_installed() else "eager"
        return max(rates, key=rates.__getitem__, default=likeliest)
