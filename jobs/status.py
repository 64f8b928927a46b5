"""Say how a run stands: `python -m jobs.status RUN`."""

from jobs.command import RunFolder, StorageOf, reporting, run


def main(
    folder: RunFolder,
    run_file: StorageOf = None,
) -> None:
    """Say how a run stands, from its folder alone."""
    with reporting() as say:
        from lib.runs.run import open_folder
        from lib.runs.status import status_lines
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage

        for line in status_lines(open_folder(folder, Storage(storage_of(run_file)))):
            say(line)


if __name__ == "__main__":
    run(main)
