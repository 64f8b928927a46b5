"""The errors that reach a person, with the exit code each one ends a job with."""


class ReshelveError(Exception):
    """A job cannot go on; the message is one sentence for the person who started it."""

    exit_code = 1


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
