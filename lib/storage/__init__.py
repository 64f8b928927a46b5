"""Objects and files anywhere: read, write and list by URI, all or nothing, with retries.

May use `config`.
"""
