"""The files of a text encoder in sentence-transformers' layout: which, and which are refused.

Only what is named here is read or copied: settings, vocabularies and safetensors. So nothing that
runs code as it is read, pickles or Python, comes into a bundle.
"""

import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lib.errors import InputError
from lib.hashing import digest_bytes, digest_json
from lib.storage.storage import Storage
from lib.storage.uris import join

MODULES, WEIGHTS, PICKLED = "modules.json", "model.safetensors", "pytorch_model.bin"
PARTS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
READ = re.compile(
    r"(modules|config|config_sentence_transformers|sentence_[\w-]+_config|tokenizer"
    r"|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json"
    r"|vocab\.txt|merges\.txt|model\.safetensors"
)
_FOLDER = re.compile(r"(\w[\w.-]*)?")  # of a part: one right below, or the encoder's own
OTHER = (
    f"{MODULES} names other parts than a Transformer, a Pooling and at most a Normalize of "
    "sentence-transformers; take an encoder that has these alone"
)


@dataclass(frozen=True, kw_only=True)
class EncoderFiles:
    """A text encoder that lies somewhere.

    Attributes:
        name: of its folder when it was trained with, for people.
        uri: of the folder.
        digests: of its files, by their paths in the folder.
    """

    name: str
    uri: str
    digests: Mapping[str, str]

    @property
    def digest(self) -> str:
        """What two encoders of the same files share."""
        return digest_json(dict(self.digests))

    def check(self, storage: Storage) -> None:
        """Look over what a bundle says of them: it may be another program's.

        Raises:
            InputError: a path leads elsewhere, or the parts are not those of an encoder.
        """
        for path in self.digests:
            folder, _, name = path.rpartition("/")
            if not READ.fullmatch(name) or not _FOLDER.fullmatch(folder):
                raise InputError(f"{self.uri}: a text encoder has no file {path!r}; train again")
        if MODULES not in self.digests or _parts(self.read(MODULES, storage)) is None:
            raise InputError(f"{self.uri}: {OTHER}")

    def read(self, path: str, storage: Storage) -> bytes:
        """Read one of its files.

        Raises:
            InputError: it is not there, or is another than it was.
        """
        data = storage.read(join(self.uri, path))
        if digest_bytes(data) != self.digests[path]:
            raise InputError(
                f"{self.uri}: {path} is damaged, or another file has taken its place; copy the "
                "whole folder again"
            )
        return data


def find_encoder(uri: str, storage: Storage) -> EncoderFiles:
    """Look over a text encoder's folder, and take the digests of its files.

    Args:
        uri: the folder, local or in any store.
        storage: how to reach it.

    Raises:
        InputError: as `list_files`.
    """
    paths = list_files(uri, storage)
    digests = {path: digest_bytes(storage.read(join(uri, path))) for path in paths}
    return EncoderFiles(name=uri.rstrip("/").rsplit("/", 1)[-1], uri=uri, digests=digests)


def list_files(uri: str, storage: Storage) -> list[str]:
    """Return the paths of a text encoder's files in its folder.

    Raises:
        InputError: it is no such folder, has other parts than a transformer, a pooling and perhaps
            a normalisation, or its weights are pickled.
    """
    where = f"names.encoder: {uri}"
    if not storage.exists(join(uri, MODULES)):
        raise InputError(
            f"{where} is not the folder of a text encoder: it has no {MODULES}; give one that "
            "sentence-transformers has saved"
        )
    folders = _parts(storage.read(join(uri, MODULES)))
    if folders is None:
        raise InputError(f"{where}: {OTHER}")
    transformer, *_ = folders
    found = {each: storage.names(join(uri, each) if each else uri) for each in ("", *folders)}
    if WEIGHTS not in found[transformer]:
        what = (
            f"they are a pickle ({PICKLED})" if PICKLED in found[transformer] else "there are none"
        )
        raise InputError(
            f"{where}: its weights are read from one file {WEIGHTS} alone, and {what}; save the "
            "encoder with sentence-transformers again"
        )
    read = [(each, name) for each, names in found.items() for name in names if READ.fullmatch(name)]
    return sorted({f"{each}/{name}" if each else name for each, name in read})


def _parts(data: bytes) -> list[str] | None:
    """Return the folders of an encoder's parts; None where these are not of the kinds we know."""
    try:
        parts = [(part["type"].split("."), part["path"]) for part in json.loads(data)]
        kinds, folders = [kind[-1] for kind, _ in parts], [path for _, path in parts]
        ours = all(kind[0] == "sentence_transformers" for kind, _ in parts)
        plain = all(_FOLDER.fullmatch(path) for path in folders)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return folders if ours and plain and kinds in PARTS else None


def refuse_without_extra(what: str) -> None:
    """Refuse what needs a text encoder where nothing that reads one is installed.

    Args:
        what: it is that needs one, with its place.

    Raises:
        InputError: says what to install.
    """
    found = importlib.util.find_spec("sentence_transformers")  # importing it takes seconds
    if found is None or found.origin is None:  # a folder of that name is no package
        raise InputError(
            f"{what} reads titles with a text encoder, and sentence-transformers is not installed "
            "here; pip install 'reshelve[text]'"
        )
