import re
import urllib.request

import pytest
import ray

from lib.cluster.prometheus import TrainingMetrics, UnitMetrics
from lib.training.history import EpochRecord
from tests.helpers.jobs import wait_until
from tests.helpers.local_ray import local_ray
from tests.runs.test_metrics_log import RECEIPT

pytestmark = [pytest.mark.ray, pytest.mark.timeout(200)]


def scraped() -> dict[str, float]:
    """What Prometheus would read of our figures on this node, by name and labels."""
    port = ray.nodes()[0]["MetricsExportPort"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("ray_reshelve_"):
            name = line.partition("{")[0]
            labels = re.findall(r'(reason|run_id|stage)="([^"]*)"', line)
            found[" ".join([name, *(value for _, value in sorted(labels))])] = float(
                line.rsplit(" ", 1)[1]
            )
    return found


def test_figures_reach_prometheus() -> None:
    with local_ray():
        metrics, training = UnitMetrics("night"), TrainingMetrics("tuned")
        metrics.add(RECEIPT, images_per_s=12.5)
        metrics.add(RECEIPT, images_per_s=12.5)
        training.add(
            EpochRecord(
                epoch=3,
                epochs=8,
                train_loss=0.75,
                validation_loss=1.25,
                validation_accuracy=0.5,
                images_per_s=100.0,
                seconds=1.0,
                learning_rate=0.1,
            )
        )
        wait_until(lambda: "ray_reshelve_training_epoch tuned" in scraped(), at_most_s=60)
        found = scraped()

    assert found["ray_reshelve_items_total night"] == 20
    assert found["ray_reshelve_errors_total gone night"] == 4
    assert found["ray_reshelve_fetched_bytes_total night"] == 2000
    assert found["ray_reshelve_retries_total night"] == 2
    assert found["ray_reshelve_stage_seconds_total night fetch"] == 1.0
    assert found["ray_reshelve_images_per_s night"] == 12.5
    assert found["ray_reshelve_training_validation_accuracy tuned"] == 0.5
