import json
from pathlib import Path

from tests.helpers.jobs import run_job

OLD = 'version: "1"\ncategories: [{id: shirt}, {id: t-shirt}, {id: shoes}]\n'
NEW = """\
version: "2"
replaces: {version: "1", merged: {tops: [shirt, t-shirt]}, split: {shoes: [boots, sneakers]}}
categories: [{id: tops}, {id: boots}, {id: sneakers}]
"""


def write(folder: Path, **texts: str) -> list[str]:
    paths = [folder / f"{name}.yaml" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text)
    return [str(path) for path in paths]


def test_the_diff_says_what_each_category_needs_and_writes_it(tmp_path: Path) -> None:
    result = run_job("taxonomy", "diff", *write(tmp_path, old=OLD, new=NEW))

    assert result.exit_code == 0, result.output
    assert "by rule: shirt (shirt) -> tops (tops)" in result.output
    assert "by the model: shoes -> boots or sneakers" in result.output
    assert "needs new examples: boots" in result.output
    written = json.loads((tmp_path / "new.migration.json").read_text())
    assert written["by_rule"] == {"shirt": "tops", "t-shirt": "tops"}
    assert written["for_model"] == {"shoes": ["boots", "sneakers"]}
    assert written["without_examples"] == ["boots", "sneakers"]


def test_a_chain_of_files_is_one_map(tmp_path: Path) -> None:
    third = 'version: "3"\nreplaces: {version: "2", merged: {shoes: [boots, sneakers]}}\n'
    third += "categories: [{id: tops}, {id: shoes}]\n"

    result = run_job("taxonomy", "diff", *write(tmp_path, old=OLD, new=NEW, third=third))

    assert result.exit_code == 0, result.output
    assert "version 1 to 3:" in result.output
    assert json.loads((tmp_path / "third.migration.json").read_text())["for_model"] == {}


def test_a_category_without_a_destiny_is_exit_code_2_and_nothing_is_written(tmp_path: Path) -> None:
    lacking = NEW.replace("merged: {tops: [shirt, t-shirt]}", "renamed: {shirt: tops}")

    result = run_job("taxonomy", "diff", *write(tmp_path, old=OLD, new=lacking))

    assert result.exit_code == 2
    assert "does not say what becomes of 't-shirt'" in result.stderr
    assert not (tmp_path / "new.migration.json").exists()


def test_names_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    named = OLD.replace("{id: shirt}", r'{id: shirt, name: "\e[2Jshirt\u202e"}')

    result = run_job("taxonomy", "diff", *write(tmp_path, old=named, new=NEW))

    assert r"by rule: shirt (\x1b[2Jshirt\u202e) -> tops (tops)" in result.output
