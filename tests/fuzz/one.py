"""Look for bytes that hurt one reader, with atheris: `python -m tests.fuzz.one TARGET SECONDS`."""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lib", "PIL", "yaml"], enable_loader_override=False):
    from tests.fuzz.seeds import SEEDS
    from tests.fuzz.targets import survive

CORPUS = Path(__file__).parent / "corpus"
FOUND = Path(__file__).resolve().parents[2] / "benchmarks" / "out" / "fuzz"
LONGEST_S, LARGEST_MIB = 20, 4096


def main(target: str, seconds: str) -> None:
    """Fuzz one reader for so long, from what was kept, and from what earlier runs found here."""
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(SEEDS[target]()):
        (found / f"seed-{number}").write_bytes(data)
    options = [
        *(f"-max_total_time={seconds}", f"-timeout={LONGEST_S}", f"-rss_limit_mb={LARGEST_MIB}"),
        *(f"-artifact_prefix={FOUND}/fault-{target}-", "-print_final_stats=1", "-verbosity=0"),
        "-seed=1",  # the same beginning each time
    ]
    atheris.Setup(
        [sys.argv[0], *options, str(found), str(CORPUS / target)],
        lambda data: survive(target, data),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
