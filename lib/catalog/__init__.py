"""Where items come from, frozen, and compared with what is published. May use `storage`."""
