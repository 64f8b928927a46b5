from pathlib import Path

import pytest
import yaml

from lib.runs.cost import PricesConfig, add_hours, hours_ahead
from lib.runs.metrics_log import read_figures
from lib.runs.run import Run
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.helpers import catalogs
from tests.helpers.jobs import run_job

PRICES = PricesConfig(node_hour={"head": 0.4, "gpu": 1.0})


def test_a_run_costs_its_node_hours() -> None:
    assert PRICES.cost({"head": 2.0, "gpu": 3.0}) == pytest.approx(3.8)
    said = PRICES.sentence({"head": 2.0, "gpu": 3.2}, 4_000_000)
    assert said == "4.00 USD, 1,000,000 images per USD"


def test_without_prices_nothing_is_said_of_money() -> None:
    assert PricesConfig().sentence({"head": 2.0}, 1) is None


def test_a_kind_without_a_price_is_named() -> None:
    said = PRICES.sentence({"head": 1.0, "gpu-spot": 1.0}, 1)

    assert said == "no cost: prices.node_hour has no price for 'gpu-spot' nodes"


def test_an_estimate_counts_the_workers_to_come_and_one_head() -> None:
    # one of four GPU nodes is there while the rate is measured
    ahead = hours_ahead({"head": 1, "gpu": 1}, share=0.25, seconds=7200)

    assert ahead == {"head": 2.0, "gpu": 8.0}


def test_hours_of_several_tries_are_added_by_kind() -> None:
    assert add_hours({"gpu": 1.0}, {"gpu": 0.5, "head": 2.0}) == {"gpu": 1.5, "head": 2.0}


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_dry_run_log_and_report_say_the_cost(tmp_path: Path) -> None:
    catalogs.write_catalog(str(tmp_path / "images"), catalogs.pictures(30))
    catalogs.make_bundle(str(tmp_path / "bundle"), architecture="squeezenet1_1")
    described = {
        "output": str(tmp_path / "runs"),
        "run_id": "night",
        "catalog": {"uri": str(tmp_path / "images" / "manifest.csv")},
        "bundle": str(tmp_path / "bundle"),
        "labels_table": str(tmp_path / "labels"),
        "engine": {"device": "cpu", "precision": "fp32", "actors": 1, "cpus_per_actor": 1},
        "prices": {"currency": "EUR", "node_hour": {"cpu": 3600.0}},
    }
    run_file = tmp_path / "night.yaml"
    run_file.write_text(yaml.safe_dump(described))

    dry = run_job("classify", str(run_file), "--dry-run")
    done = run_job("classify", str(run_file))

    assert "estimated cost: " in dry.output
    assert "images per EUR" in dry.output
    assert "cost: " in done.output
    run = Run("night", str(tmp_path / "runs" / "night"), Storage(StorageConfig()))
    seconds = read_figures(run)[-1]["node_hours"]["cpu"] * 3600
    said = float(done.output.partition("cost: ")[2].partition(" EUR")[0].replace(",", ""))
    assert said == pytest.approx(seconds, abs=0.1)
    assert f"{said:,.2f} EUR" in (tmp_path / "runs" / "night" / "report.html").read_text()
