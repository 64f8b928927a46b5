"""What the commands share: the run file, overrides, and errors as one sentence and an exit code."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from lib.config import Config, load_config
from lib.errors import InputError, ReshelveError

RunFile = Annotated[Path, typer.Argument(help="The run file, YAML.", metavar="RUN.yaml")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a key of the run file.", metavar="A.B=VALUE"),
]
ConfigT = TypeVar("ConfigT", bound=Config)


def load(model: type[ConfigT], run_file: Path, settings: Sequence[str] | None) -> ConfigT:
    """Read and validate a run file.

    Raises:
        InputError: it is not there or something in it is wrong.
    """
    try:
        text = run_file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{run_file}: the run file cannot be read: {error}") from None
    return load_config(model, text, str(run_file), settings or ())


@contextmanager
def reporting() -> Iterator[Callable[[str], None]]:
    """Give a way to print lines; end the process as documented when the job cannot go on."""
    try:
        yield lambda line: print(line, flush=True)
    except ReshelveError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
