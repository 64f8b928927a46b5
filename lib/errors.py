"""The errors that reach a person, with the exit code each one ends a job with."""


class ReshelveError(Exception):
    """A job cannot go on; the message is one sentence for the person who started it."""

    exit_code = 1

    def __init__(self, sentence: str) -> None:
        """Keep the sentence; empty lines, which what it quotes may hold, are left out."""
        super().__init__("\n".join(filter(str.strip, sentence.split("\n"))))


class InputError(ReshelveError, ValueError):
    """A run file, taxonomy, bundle, catalog or credential cannot be used; nothing was done."""

    exit_code = 2


class StoreError(InputError):
    """A store does not answer; once it does, the same command goes on."""

    exit_code = 1


class GateError(ReshelveError):
    """The run is finished but must not be published; the last good labels stay in place."""

    exit_code = 3


class ConflictError(ReshelveError):
    """Another run has published labels of the same items meanwhile; its labels stay in place."""

    exit_code = 4


STOPPED = 130  # by a person


def exit_code_of(error: BaseException | None) -> int:
    """Return the exit code of a job that ends with this error, or with none."""
    if error is None:
        return 0
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    return int(getattr(error, "exit_code", 1))  # wrong command lines have one, too


def sentence_of(error: BaseException) -> str:
    """Return what an error says to a person; of an unforeseen one, its kind as well."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped by a person"
    return str(error) if hasattr(error, "exit_code") else f"{type(error).__name__}: {error}"


def worker_failed(error: BaseException, said: str) -> ReshelveError:
    """Return what nobody has foreseen in a worker as a sentence: its kind, its last line."""
    last = (said.strip().splitlines() or ["no words"])[-1]
    return ReshelveError(f"a worker failed: {type(error).__name__}: {last}")
