"""Digests: sha256 in hex, over bytes or over canonical JSON."""

import hashlib
import json


def digest_bytes(data: bytes) -> str:
    """sha256 hex of bytes."""
    return hashlib.sha256(data).hexdigest()


def digest_json(value: object) -> str:
    """sha256 hex of a value's JSON with sorted keys and no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_bytes(text.encode())
