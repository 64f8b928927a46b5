import pytest

from lib.tracking.config import MlflowConfig, without_password

PASSWORD = "hunter2"  # noqa: S105  # no secret, but what must never be shown


@pytest.mark.parametrize("password", [PASSWORD, f"{PASSWORD}/@:?", f":{PASSWORD}"])
def test_no_text_says_the_password_of_a_server_whole_or_by_itself(password: str) -> None:
    uri = f"https://anna:{password}@tracking:5000/mlflow"
    text = f"{uri}/api failed; user 'anna', password '{password}', from https://bob:x@other/"

    said = without_password(text, uri)

    assert PASSWORD not in said
    assert said.startswith("https://tracking:5000/mlflow/api failed; ")
    assert said.endswith("from https://other/")


def test_an_address_without_a_password_stays_as_it_is() -> None:
    for uri in ("http://127.0.0.1:5000", "sqlite:///a@b.db", "databricks", "s3://bucket/a@b"):
        assert without_password(f"at {uri}", uri) == f"at {uri}"


def test_an_address_is_not_shown_by_its_config() -> None:
    config = MlflowConfig.model_validate({"tracking_uri": f"http://anna:{PASSWORD}@tracking"})

    assert config.uri == f"http://anna:{PASSWORD}@tracking"
    assert PASSWORD not in f"{config} {config!r} {config.model_dump_json()}"


def test_without_an_address_the_environment_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert MlflowConfig().uri == "http://tracking:5000"

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert MlflowConfig().uri is None
