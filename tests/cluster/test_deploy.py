"""What is shipped for clusters, compared with Ray's own schema and KubeRay's published fields."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from lib.cluster import prometheus as ray_metrics

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
LAUNCHER: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
KINDS: dict[str, dict[str, Any]] = LAUNCHER["available_node_types"]
# From KubeRay's ray-operator/apis/ray/v1/rayjob_types.go and raycluster_types.go, and for
# authOptions from the notes of release 1.5.1. What is a Pod's is Kubernetes' own.
RAY_JOB = {
    *("activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint"),
    *("entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "jobId", "managedBy"),
    *("metadata", "rayClusterSpec", "runtimeEnvYAML", "schedule", "shutdownAfterJobFinishes"),
    *("submissionMode", "submitterConfig", "submitterPodTemplate", "suspend"),
    "ttlSecondsAfterFinished",
}
RAY_CLUSTER = {
    *("authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "headGroupSpec"),
    *("headServiceAnnotations", "rayVersion", "suspend", "workerGroupSpecs"),
}
HEAD_GROUP = {
    *("enableIngress", "headService", "rayStartParams", "serviceType", "template"),
}
WORKER_GROUP = {
    *("groupName", "maxReplicas", "minReplicas", "numOfHosts", "rayStartParams", "replicas"),
    *("scaleStrategy", "template"),
}
AUTOSCALER = {
    *("env", "envFrom", "idleTimeoutSeconds", "image", "imagePullPolicy", "resources"),
    *("securityContext", "upscalingMode", "volumeMounts"),
}


def documents(name: str) -> dict[str, dict[str, Any]]:
    """The documents of a file, by their kind."""
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / name).read_text())}


def cluster_of(name: str) -> dict[str, Any]:
    found = documents(name)
    spec: dict[str, Any] = (found.get("RayCluster") or found["RayJob"])["spec"]
    cluster: dict[str, Any] = spec.get("rayClusterSpec", spec)
    return cluster


def locked(package: str) -> str:
    found = re.search(rf"^{package}==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_rays_cluster_launcher_takes_cluster_yaml() -> None:
    validate_config(prepare_config(LAUNCHER))


def test_the_head_runs_no_work() -> None:
    assert KINDS[LAUNCHER["head_node_type"]]["resources"]["CPU"] == 0


def test_spot_gpus_have_an_on_demand_floor_that_comes_first() -> None:
    spot = {name for name, kind in KINDS.items() if is_spot(kind["node_config"])}
    gpus = {name: kind for name, kind in KINDS.items() if kind["resources"].get("GPU")}

    floor = [kind for name, kind in gpus.items() if name not in spot]
    assert [kind["priority"] for kind in floor] == [1]
    assert spot & gpus.keys()


def is_spot(node_config: Mapping[str, Any]) -> bool:
    market: dict[str, str] = node_config.get("InstanceMarketOptions", {})
    return market.get("MarketType") == "spot"


def test_nothing_is_open_and_nothing_is_left_running() -> None:
    for command in ("head_start_ray_commands", "worker_start_ray_commands"):
        started = LAUNCHER[command][-1]
        assert started.startswith("RAY_AUTH_MODE=token ray start")
        assert "--object-store-memory=" in started
        assert "--object-spilling-directory=" in started
    assert "--dashboard-host=127.0.0.1" in LAUNCHER["head_start_ray_commands"][-1]
    assert LAUNCHER["idle_timeout_minutes"] <= 15
    assert all(kind.get("min_workers", 0) == 0 for kind in KINDS.values())


@pytest.mark.parametrize("name", ["rayjob-train.yaml", "rayjob-classify.yaml", "night.yaml"])
def test_kuberay_knows_every_field(name: str) -> None:
    job = documents(name).get("RayJob", {"spec": {}})["spec"]
    cluster = cluster_of(name)

    assert set(job) <= RAY_JOB
    assert set(cluster) <= RAY_CLUSTER
    assert set(cluster["headGroupSpec"]) <= HEAD_GROUP
    assert set(cluster["autoscalerOptions"]) <= AUTOSCALER
    for group in cluster["workerGroupSpecs"]:
        assert set(group) <= WORKER_GROUP
        assert group["minReplicas"] <= group["maxReplicas"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        # KubeRay takes only texts here, and refuses the whole cluster otherwise
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        assert group["template"]["spec"]["containers"]


@pytest.mark.parametrize("name", ["rayjob-train.yaml", "rayjob-classify.yaml", "night.yaml"])
def test_clusters_on_kubernetes_are_of_the_locked_ray_and_want_a_token(name: str) -> None:
    cluster = cluster_of(name)

    assert cluster["rayVersion"] == locked("ray")
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_the_image_has_the_locked_ray() -> None:
    image = re.search(r"^FROM rayproject/ray:(\S+)-py311$", text := dockerfile(), re.MULTILINE)

    assert image
    assert image[1] == locked("ray")
    assert "--require-hashes --requirement requirements.lock" in text


def test_the_image_is_built_with_all_files_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    copied = re.findall(r"^COPY \S+ (.+) \S+$", dockerfile(), re.MULTILINE)
    context = (ROOT / ".dockerignore").read_text().splitlines()

    needed = {project["readme"], *project["license-files"]}
    assert needed <= set(" ".join(copied).split())
    assert {f"!{name}" for name in needed} <= set(context)


def dockerfile() -> str:
    return (DEPLOY / "Dockerfile").read_text()


def test_the_night_submits_one_job_at_a_time_and_tries_no_refusal_again() -> None:
    night = documents("night.yaml")["CronJob"]["spec"]
    rules = night["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]

    assert night["concurrencyPolicy"] == "Forbid"
    assert rules[0]["onExitCodes"] == {"operator": "In", "values": [2, 3, 4]}


def test_the_dashboard_asks_only_for_metrics_that_are_told() -> None:
    dashboard = json.loads((DEPLOY / "grafana.json").read_text())
    source = Path(ray_metrics.__file__).read_text()

    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"ray_reshelve_(\w+?)(?:_total)?\{", target["expr"])
    }
    told = set(re.findall(r"_(?:counter|gauge)\(\"(\w+)\"", source))
    told |= {f"training_{name}" for name in ray_metrics.OF_AN_EPOCH}
    assert asked == told
