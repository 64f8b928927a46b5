# ruff: noqa: T201  # they speak to a person
"""Reshelve beside what its users would otherwise run: images/s, cold start, memory, agreement.

    AWS_ENDPOINT_URL=... AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... make bench

Real photos, repeated to thousands of keys, are classified from S3 and from disk; the contenders
take turns, three times after a warm-up. Peers get fewer images, since their rate does not depend on
how many there are; their whole job is their start-up and the rest at their steady rate, which
favours them. It stops by itself within 15 minutes. The ResNet-18 is fine-tuned on product photos at
the first time; for MobileNetV3-Large there are no weights, and it is a seeded one.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks import needs

if __name__ == "__main__":  # before what takes seconds to import
    needs.check(
        needs.data("data/imagenet-samples", "photos"),
        needs.data("data/clothing", "folders of photos by side and category"),
        needs.data("weights/resnet18-tiny-imagenet.safetensors", "weights"),
        needs.peers("bench"),
        needs.memory_gib(5),
    )

from benchmarks import roofline
from benchmarks.agreement import measure_agreement
from benchmarks.contest import BATCH, OURS, PEERS, Contest, print_table
from benchmarks.models import fine_tune, make_untrained
from benchmarks.photos import lay_out, upload

LIMIT_S = 13.5 * 60  # what has begun by then may take a minute more
KEPT = Path(__file__).parent / "out"


def main() -> None:
    """Lay out the images, let all run, print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("RESHELVE_SHARED", "../shared")
    parser.add_argument("--shared", type=Path, default=Path(shared))
    parser.add_argument("--items", type=int, default=6000)
    parser.add_argument("--peer-items", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    deadline = time.monotonic() + LIMIT_S
    data = given.shared.resolve() / "data"
    web = sorted((data / "imagenet-samples").glob("*.JPEG"))
    products = sorted((data / "clothing").glob("*/*/*"))
    weights = given.shared.resolve() / "weights" / "resnet18-tiny-imagenet.safetensors"
    taxonomy = Path("jobs/runs/clothing-taxonomy.yaml").resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        resnet = fine_tune(data / "clothing", weights, taxonomy, KEPT)
        mobilenet = make_untrained("mobilenet_v3_large", web, folder)
        agreement = measure_agreement(data / "clothing", resnet.bundle, folder)
        print(f"agreement {agreement}", flush=True)
        floor = roofline.measure(resnet.bundle, [photo.read_bytes() for photo in web], BATCH)
        print(f"roofline {floor}", flush=True)
        disk = lay_out("disk", web, given.items, folder)
        clothing = lay_out("clothing", products, len(products), folder)
        with upload("s3", web, given.items, folder) as s3:
            first, *others = (
                Contest(model, place, folder, deadline)
                for model, place in (
                    (resnet, s3),
                    (resnet, disk),
                    (mobilenet, s3),
                    (mobilenet, disk),
                    (resnet, clothing),
                )
            )
            first.turn("reshelve", given.peer_items)  # warms the machine's caches
            first.found.clear()
            for _ in range(given.rounds):
                for variant in OURS:
                    first.turn(variant, given.items)
                for peer in PEERS:
                    first.turn(peer, given.peer_items)
            for contest in others:
                contest.turn("reshelve", min(given.items, contest.place.items))
                for peer in PEERS:
                    contest.turn(peer, given.peer_items // 2)
            tables = {each.title: each.summary(given.items) for each in (first, *others)}
    for title, table in tables.items():
        print_table(title, table)
    main_table = tables[first.title]
    ours, bare = (main_table[name] for name in OURS)
    # a careful script of one's own is measured beside them, and stands in the table
    peers = [main_table[peer] for peer in ("ray_data", "daft_images")]
    found = {
        "steady_ratio": round(ours["steady"] / max(peer["steady"] for peer in peers), 2),
        "whole_job_ratio": round(min(peer["whole_s"] for peer in peers) / ours["whole_s"], 2),
        "roofline_fraction": round(ours["steady"] / floor["images_per_s"], 3),
        "label_agreement": agreement["label_agreement"],
        "accuracy_change": round(agreement["accuracy"] - agreement["reference_accuracy"], 4),
        "first_shard_s": ours["first_s"],
        "peak_memory_gib": ours["peak_memory_gib"],
        "embeddings_cost": round(1 - ours["steady"] / bare["steady"], 3),
        "script_ratio": round(ours["steady"] / main_table["dataloader"]["steady"], 2),
        "roofline": floor,
        "contests": tables,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
