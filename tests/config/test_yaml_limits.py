"""YAML that would take more than its length lets one expect is refused before it is built."""

from pathlib import Path

import pytest

from lib.config.yaml_limits import DEEPEST
from lib.config.yaml_lines import parse_yaml
from lib.errors import InputError
from tests.helpers.jobs import run_job


def refusal(text: str) -> str:
    with pytest.raises(InputError) as error:
        parse_yaml(text, "run.yaml")
    return str(error.value)


def laughs(levels: int) -> str:
    """Aliases of aliases: ten times the values on each line."""
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, levels):
        parts = ", ".join([f"*l{n - 1}"] * 10)
        lines.append(f"l{n}: &l{n} [{parts}]")
    return "\n".join(lines)


def test_aliases_that_multiply_are_refused_with_their_line_and_the_limit() -> None:
    said = refusal(laughs(9))
    assert said.startswith("run.yaml, line 4: aliases ('*') make ")
    assert " are allowed; write the parts out" in said


def test_merged_keys_count_as_aliases_do() -> None:
    lines = ["m0: &m0 {a: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}" for n in range(1, 40)]
    assert "aliases ('*') make " in refusal("\n".join(lines))


def test_a_chain_of_aliases_counts_as_the_depth_that_it_makes() -> None:
    lines = ["c0: &c0 [x]", *(f"c{n}: &c{n} [*c{n - 1}]" for n in range(1, 3000))]
    assert refusal("\n".join(lines)).startswith(
        f"run.yaml, line {DEEPEST - 1}: this is nested more "
    )


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[? "])
def test_brackets_without_end_are_refused_and_do_not_end_the_process(opening: str) -> None:
    said = refusal(f"categories:\n  {opening * 100_000}")
    assert said.startswith("run.yaml, line 2: this is nested more than 100 levels deep, and 100 ")


def test_nesting_up_to_the_limit_is_read() -> None:
    data = parse_yaml("[" * DEEPEST + "]" * DEEPEST, "run.yaml").data
    assert str(data) == "[" * DEEPEST + "]" * DEEPEST
    assert "nested more" in refusal("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))


def test_aliases_that_repeat_what_is_written_are_read() -> None:
    text = "a: &a {x: 1, y: 2}\n" + "\n".join(f"k{n}: {{<<: *a, z: {n}}}" for n in range(1000))
    assert parse_yaml(text, "run.yaml").data["k999"] == {"x": 1, "y": 2, "z": 999}


def test_many_values_without_an_alias_are_read() -> None:
    text = "\n".join(f"- {n}" for n in range(30_000))
    assert parse_yaml(text, "run.yaml").data[-1] == 29_999


@pytest.mark.parametrize("text", [laughs(9), f"output: {'[' * 100_000}"])
def test_a_run_file_beyond_the_limits_is_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "night.yaml"
    file.write_text(text)
    result = run_job("classify", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {file}, line ")


@pytest.mark.parametrize("text", [laughs(9), f"categories: {'[' * 100_000}"])
def test_a_taxonomy_beyond_the_limits_is_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "taxonomy.yaml"
    file.write_text(text)
    result = run_job("taxonomy", "diff", str(file), str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {file}, line ")


def test_a_setting_beyond_the_limits_is_named(tmp_path: Path) -> None:
    file = tmp_path / "night.yaml"
    file.write_text("output: runs\n")
    result = run_job("classify", str(file), "--set", f"output={'[' * 100_000}")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: --set output, line 1: this is nested more than ")
