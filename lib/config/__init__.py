"""Run files: YAML in, validated models out, errors that name the line. Uses only `lib/` itself."""
