"""Weights from elsewhere: what is on this machine already, else fetched; or said within seconds."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lib.errors import InputError

HUB = "hf-hub:"  # of a hub id: hf-hub:ORG/NAME, with @REVISION if need be
WAIT_S = 1.5
_CONFIG = "config.json"


def answers(url: str) -> bool:
    """Say within `WAIT_S` whether a server answers at all, through the proxies that are set."""
    found: list[bool] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")  # noqa: S310  # ours, or from a library
            # of its own: the one that urlopen keeps goes by the proxies of its first use
            with urllib.request.build_opener().open(request, timeout=WAIT_S):
                found.append(True)
        except urllib.error.HTTPError as error:
            found.append(error.code < 500)  # it may dislike the question
        except OSError:
            pass

    # to look up a name knows no timeout; nothing waits for a thread that is still at it
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(WAIT_S)
    return found == [True]


def fetch_hub_file(hub_id: str, names: Sequence[str]) -> Path:
    """Return the first of some files that a hub's repository has; one fetched before is kept.

    Args:
        hub_id: `hf-hub:ORG/NAME` or `hf-hub:ORG/NAME@REVISION`.
        names: of the files, the best first.

    Raises:
        InputError: it cannot be had; says what to do.
    """
    import huggingface_hub  # noqa: PLC0415  # half a second, where a hub is named
    from huggingface_hub import constants, errors  # noqa: PLC0415

    repository, _, revision = hub_id.removeprefix(HUB).partition("@")
    here = constants.HF_HUB_OFFLINE or not answers(constants.ENDPOINT)
    reason = f"{constants.ENDPOINT} does not answer" if here else f"it has no {' or '.join(names)}"
    for name in names:
        try:
            return Path(
                huggingface_hub.hf_hub_download(
                    repository, name, revision=revision or None, local_files_only=here
                )
            )
        except (errors.EntryNotFoundError, errors.HfHubHTTPError, OSError, ValueError) as error:
            if here or isinstance(error, errors.RemoteEntryNotFoundError):
                continue
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            break
    raise InputError(
        f"model.weights: {hub_id} cannot be downloaded ({reason}); fetch its "
        "model.safetensors elsewhere and give the file's path"
    )


def read_hub_config(hub_id: str) -> dict[str, Any]:
    """Return what a hub says of a timm network: `architecture`, and what it was trained on.

    Raises:
        InputError: it cannot be had, or says nothing of a timm network.
    """
    data = fetch_hub_file(hub_id, [_CONFIG]).read_bytes()
    try:
        described = json.loads(data)
        trained = described.get("pretrained_cfg", described)
        return {**trained, "architecture": described["architecture"]}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise InputError(
            f"model.weights: {hub_id} is not a timm network: its {_CONFIG} names no architecture"
        ) from None
