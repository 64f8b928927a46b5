"""A night's drift: its sample, compared with its bundle's reference and the nights before."""

from lib.drift.comparison import Drift, measure_drift
from lib.drift.sample import SAMPLE_ITEMS, Sample, read_sample, together
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import read_bundle
from lib.models.reference import read_reference
from lib.runs import files
from lib.runs.run import Run
from pipelines.classify_nights import runs_before
from pipelines.publication import Finished


def drift_of(finished: Finished, table: LabelsTable) -> Drift | None:
    """Measure a night's drift and write it into the run's folder.

    Returns:
        None where the night has no sample, since an older version has classified it, or no label.

    Raises:
        InputError: the bundle's reference is damaged.
    """
    run = finished.run
    if not run.exists(files.SAMPLE):
        return None
    night = read_sample(run.read(files.SAMPLE))
    if not len(night):
        return None
    training = read_reference(read_bundle(finished.manifest.bundle, run.storage), run.storage)
    before = samples_before(run, table)
    drift = measure_drift(night, training, together(before), len(before))
    run.write(files.DRIFT, drift.model_dump_json(indent=2).encode())
    return drift


def samples_before(run: Run, table: LabelsTable) -> list[Sample]:
    """Read the samples of the latest nights of a table and a bundle, until they are enough items.

    Folders that are gone, and runs of another bundle, are passed over.
    """
    samples: list[Sample] = []
    bundle = run.record.fingerprint["bundle"]
    for night in runs_before(run, table):
        if sum(map(len, samples)) >= SAMPLE_ITEMS:
            break
        if not night.exists(files.SAMPLE):
            continue
        if night.record.fingerprint.get("bundle") != bundle:
            continue
        if len(sample := read_sample(night.read(files.SAMPLE))):
            samples.append(sample)
    return samples
