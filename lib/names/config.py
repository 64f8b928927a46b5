"""How a training reads titles."""

from lib.config.config import Config
from lib.names.encoder_files import list_files, refuse_without_extra
from lib.storage.storage import Storage


class NamesConfig(Config):
    """How a training reads titles."""

    encoder: str | None = None  # the folder of a text encoder; None: hashed n-grams


def refuse_unreadable(config: NamesConfig, storage: Storage) -> None:
    """Refuse a text encoder that is not there, that is unsafe to read, or that nothing can read.

    Raises:
        InputError: names the key and what is wrong.
    """
    if config.encoder is not None:
        refuse_without_extra("names.encoder")
        list_files(config.encoder, storage)
