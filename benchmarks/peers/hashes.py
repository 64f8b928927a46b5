"""A peer of near-copies: the hashes of imagededup, as it makes them."""

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    """Read paths, one a line; print for each its hashes, as whole numbers."""
    from imagededup.methods import DHash, PHash  # noqa: PLC0415  # only here

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", type=Path)
    methods = {"PHash": PHash(verbose=False), "DHash": DHash(verbose=False)}
    paths = parser.parse_args().paths.read_text().splitlines()
    found = {
        name: [int(method.encode_image(path), 16) for path in paths]
        for name, method in methods.items()
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
