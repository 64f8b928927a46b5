"""From an item's URI to the pixels that a model sees; thumbnails. May use `storage`."""
