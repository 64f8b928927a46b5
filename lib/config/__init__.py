"""Run files: YAML in, validated and frozen models out, errors that name file, line and key.

May use what lies in `lib/` itself.
"""
