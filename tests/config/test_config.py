import json
from collections.abc import Mapping
from typing import ClassVar

import pytest
from pydantic import Field

from lib.config.config import Config, load_config
from lib.errors import InputError
from lib.storage.config import StorageConfig

SECRET = "hunter2-wJalrXUtnFEMI"  # noqa: S105  # no secret, but what must never be shown


class Training(Config):
    epochs: int = Field(default=3, ge=1)
    rates: tuple[float, ...] = ()


class Address(Config):
    uri: str | None = Field(default=None, pattern="^https://")


class RunFile(Config):
    output: str
    training: Training = Training()
    training_dir: str | None = None
    storage: StorageConfig = StorageConfig()
    mlflow: Address = Address()
    notify: Address = Address()


def load(text: str, *overrides: str) -> RunFile:
    return load_config(RunFile, text, "run.yaml", overrides)


def refusal(text: str, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        load(text, *overrides)
    return str(caught.value)


def test_values_of_the_file_reach_the_model() -> None:
    config = load("output: runs\ntraining:\n  epochs: 8\n  rates: [0.1, 1]\n")
    assert config == RunFile(output="runs", training=Training(epochs=8, rates=(0.1, 1.0)))


def test_an_unknown_key_names_file_line_key_and_a_close_match() -> None:
    message = refusal("output: runs\ntraining:\n  epochs: 1\n  epoch: 8\n")
    assert message == "run.yaml, line 4: unknown key 'training.epoch'; did you mean 'epochs'?"


def test_a_key_of_an_earlier_version_says_what_it_is_now() -> None:
    class Renamed(Config):
        former_keys: ClassVar[Mapping[str, str]] = {"pace": "rates.least"}
        output: str = ""

    with pytest.raises(InputError) as caught:
        load_config(Renamed, "pace: 3\n", "run.yaml")
    assert str(caught.value) == "run.yaml, line 1: unknown key 'pace'; it is 'rates.least' now"


def test_an_unknown_key_like_no_other_lists_the_keys_of_its_own_level() -> None:
    message = refusal("output: runs\ntraining:\n  zzz: 8\n")
    assert message == "run.yaml, line 3: unknown key 'training.zzz'; known here: epochs, rates"


def test_every_wrong_key_has_its_own_line_in_the_message() -> None:
    message = refusal("outputs: runs\ntraining:\n  epochs: many\n")
    assert [line.split(": ")[0] for line in message.splitlines()] == [
        "run.yaml, line 1",  # output is missing
        "run.yaml, line 3",
        "run.yaml, line 1",
    ]


@pytest.mark.parametrize(
    ("text", "line", "key", "expected", "got"),
    [
        (
            "output: runs\ntraining:\n  epochs: many\n",
            3,
            "training.epochs",
            "a whole number",
            "'many'",
        ),
        (
            "output: runs\n\ntraining: 3\n",
            3,
            "training",
            "keys and values, with the keys epochs, rates",
            "3",
        ),
        ("output: [a]\n", 1, "output", "text", "['a']"),
        ("output: r\ntraining:\n  rates:\n  - 1\n  - x\n", 5, "training.rates.1", "number", "'x'"),
        ("output: r\ntraining: {rates: [.nan]}\n", 2, "training.rates.0", "a finite number", "nan"),
        ("output: r\ntraining: {rates: [1, -.inf]}\n", 2, "training.rates.1", "finite", "-inf"),
        ("output: r\ntraining: {epochs: .inf}\n", 2, "training.epochs", "finite number", "inf"),
        ("output: r\ntraining: {epochs: 0}\n", 2, "training.epochs", "at least 1", "0"),
        ("output: r\ntraining: {epochs: 1.5}\n", 2, "training.epochs", "a whole number", "1.5"),
        ("output: r\ntraining: {rates: 1}\n", 2, "training.rates", "a list, as [a, b]", "1"),
        ("output: 2026-01-01\n", 1, "output", "text: put it in quotes", "2026-01-01"),
        ("output: true\n", 1, "output", "text: put it in quotes", "true"),
    ],
)
def test_a_wrong_value_names_file_line_key_what_was_expected_and_what_is_there(
    text: str, line: int, key: str, expected: str, got: str
) -> None:
    message = refusal(text)
    assert message.startswith(f"run.yaml, line {line}: '{key}' should be ")
    assert expected in message
    assert message.endswith(f", not {got}")


def test_a_missing_key_is_named() -> None:
    assert refusal("training: {epochs: 2}\n") == "run.yaml, line 1: 'output' is missing"


def test_a_key_that_stands_twice_is_refused_with_the_line_of_the_second() -> None:
    message = refusal("output: a\ntraining:\n  epochs: 1\n  epochs: 2\n")
    assert message == "run.yaml, line 4: 'epochs' stands here a second time"


@pytest.mark.parametrize("text", ["{output: a, token\n\n\nxyz}\n", '"token\\n\\nxyz": b\n'])
def test_a_key_over_several_lines_is_refused_and_not_repeated(text: str) -> None:
    message = refusal(text)
    assert message.startswith("run.yaml, line 1: a key goes on over several lines; is a ':', ")
    assert "xyz" not in message


def test_keys_that_are_not_text_are_refused() -> None:
    sentence = "'1' should be text, as all keys: put it in quotes, not 1"
    assert refusal("output: a\n1: b\n").endswith(f": {sentence}")


def test_a_key_without_a_value_says_so() -> None:
    message = refusal("output: a\ntraining:\n")
    assert message.endswith("keys and values, with the keys epochs, rates; there is no value")


@pytest.mark.parametrize("text", ["- output\n", "output\n"])
def test_a_file_without_keys_is_refused(text: str) -> None:
    assert refusal(text) == "run.yaml: expected keys and values, as in 'output: runs'"


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_says_so(text: str) -> None:
    assert refusal(text).startswith("run.yaml: the file is empty; expected keys and values, ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("output: [a\n", 2),
        ("output: a\n\ttraining: 1\n", 2),
        ("output: a\ntraining: @b\n", 2),
        ("output: a\n---\noutput: b\n", 2),
        ("output: !!python/object/apply:os.getcwd []\n", 1),
        ("output: a\ntraining_dir: 2026-02-30\n", 2),
        ("output: a\ntraining: !!int many\n", 2),
        ("output: a\ntraining: !!timestamp many\n", 2),
        ('output: a\ntraining: !!int ""\n', 2),
        ("output: a\ntraining: !!bool maybe\n", 2),
        (f"output: a\ntraining: {'1:' * 300}1.5\n", 2),
    ],
)
def test_what_is_not_yaml_names_the_line(text: str, line: int) -> None:
    message = refusal(text)
    assert message.startswith(f"run.yaml, line {line}: not valid YAML: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\nb: 1\n", "this does not fit what comes before it: look at indentation"),
        ("output: a\ntraining: b: c\n", "an unexpected ':': look at the indentation"),
        ("output: a\ntraining:\n\tepochs: 1\n", "indent with spaces"),
        ("output: a\ntraining: [1\nx: 2\n", "the bracket of line 2 is not closed"),
        ("output: a\ntraining: 'b\n", "the quote of line 2 is not closed"),
        ("output: a\ntraining: @b\n", "put it in quotes; the line reads: training: @b"),
    ],
)
def test_what_is_not_yaml_says_what_to_look_at(text: str, sentence: str) -> None:
    assert sentence in refusal(text)


def test_a_control_character_is_refused() -> None:
    message = refusal("output: \x00\n")
    assert message.startswith("run.yaml: not valid YAML: it has a control character")


def test_an_alias_that_makes_a_cycle_is_refused() -> None:
    assert "contains itself" in refusal("output: a\ntraining: &t\n  rates: *t\n")


def test_set_overrides_nested_keys_and_makes_missing_parents() -> None:
    text = "output: runs\ntraining: {epochs: 2, rates: [1]}\n"
    config = load(text, "training.epochs=8", "storage.region=eu", "output=x=y")
    assert config.training == Training(epochs=8, rates=(1.0,))
    assert config.storage.region == "eu"
    assert config.output == "x=y"


def test_set_reads_its_value_as_yaml() -> None:
    assert load("output: a\n", "training.rates=[0.5, 2]").training.rates == (0.5, 2.0)


def test_the_last_set_of_a_key_wins() -> None:
    assert load("output: a\n", "training.epochs=8", "training.epochs=9").training.epochs == 9


def test_an_unknown_key_of_set_names_set_and_a_close_match() -> None:
    message = refusal("output: a\n", "training.epoch=8")
    assert message == "--set training.epoch: unknown key 'training.epoch'; did you mean 'epochs'?"


def test_a_wrong_value_of_set_names_set_and_not_the_file() -> None:
    message = refusal("output: a\ntraining:\n  epochs: 2\n", "training.epochs=many")
    assert message.startswith("--set training.epochs: 'training.epochs' should be ")


def test_set_below_a_key_that_has_no_keys_names_set_and_not_the_file() -> None:
    assert refusal("output: a\n", "output.name=x").startswith("--set output.name: 'output' ")


@pytest.mark.parametrize(
    "override", ["training.epochs", "=8", "training.epochs 8", "", "training..epochs=8"]
)
def test_a_set_without_key_and_value_is_refused(override: str) -> None:
    assert "expected KEY=VALUE" in refusal("output: a\n", override)


@pytest.mark.parametrize("value", ["[1", "2026-02-30", "@x", "\udcff"])
def test_a_set_whose_value_is_not_yaml_is_refused(value: str) -> None:
    message = refusal("output: a\n", f"training.epochs={value}")
    assert (
        message == "--set training.epochs: what follows the '=' is not valid YAML; try it in quotes"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"storage: {SECRET}",
        f"storage: [{SECRET}]",
        f"storage: {{secret_access_key: [{SECRET}]}}",
        f"storage: {{secret_access_key: !{SECRET} x}}",
        f"storage: {{secret_access_key: *{SECRET}}}",
        f"storage: {{region: eu, secret_access_key:{SECRET}}}",
        f"storage: {{secret_acess_key: {SECRET}}}",
        f"storage: {{options: {SECRET}}}",
        f"storage: {{anonymous: {SECRET}}}",
        f"storage: {{secret_access_key: '{SECRET}",
        f"storage:\n  options:\n    name: @{SECRET}",
        f"storage: {{\noptions: {{\nname: @{SECRET}",
        f"storage:\n  region: eu\n {SECRET}: x",
    ],
)
def test_no_message_repeats_what_stands_under_storage(text: str) -> None:
    assert SECRET not in refusal(f"output: a\n{text}\n")


@pytest.mark.parametrize("part", ["mlflow", "notify"])
@pytest.mark.parametrize(
    "value", [SECRET, f"{{uri: ftp://anna:{SECRET}@host}}", f"{{uri:{SECRET}}}"]
)
def test_no_message_repeats_an_address_that_may_hold_a_secret(part: str, value: str) -> None:
    message = refusal(f"output: a\n{part}: {value}\n")
    assert message.startswith("run.yaml, line 2: ")
    assert SECRET not in message


@pytest.mark.parametrize(
    "override",
    [
        f"storage.secret_access_key=[{SECRET}",
        f"storage.secret_access_key:{SECRET}",
        f"storage.secret_access_key={{a: {SECRET}}}",
        f"storage={SECRET}",
    ],
)
def test_no_message_repeats_what_set_gives_to_storage(override: str) -> None:
    assert SECRET not in refusal("output: a\n", override)


def test_secrets_are_neither_printed_nor_dumped() -> None:
    text = (
        f"output: a\nstorage: {{access_key_id: {SECRET}, secret_access_key: {SECRET}, "
        f"session_token: {SECRET}, options: {{password: {SECRET}}}}}\n"
    )
    config = load(text)
    storage = config.storage
    dumped = json.dumps(config.model_dump(mode="json"))
    for shown in (repr(storage), str(config), f"{config}", storage.model_dump_json(), dumped):
        assert SECRET not in shown
    assert storage.s3_keys() == (SECRET, SECRET, SECRET)
    assert storage.options == {"password": SECRET}


def test_a_loaded_config_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load("output: a\n").output = "b"


def test_one_key_of_a_pair_alone_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="go together") as caught:
        load(f"output: runs\nstorage:\n  access_key_id: {SECRET}\n")
    assert SECRET not in str(caught.value)
