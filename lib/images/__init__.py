"""From an item's URI to the pixels a model sees: fetch, decode, resize; and thumbnails.

May use `storage` and `config`.
"""
