"""Where items come from, frozen into a snapshot and compared with the published labels.

May use `storage` and `config`.
"""
