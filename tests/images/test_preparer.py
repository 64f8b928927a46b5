from pathlib import Path

from lib.images.config import ReadingConfig
from lib.images.preparer import Prepared, Preparer
from lib.storage.config import StorageConfig
from tests.helpers import catalogs


def test_pixels_do_not_pile_up_where_their_consumer_is_slow(tmp_path: Path) -> None:
    class Counting(Preparer):
        started = 0

        def prepare(self, uri: str, etag: str | None) -> Prepared:
            self.started += 1
            return super().prepare(uri, etag)

    photo = tmp_path / "one.png"
    photo.write_bytes(catalogs.encode(catalogs.draw(1), "png"))
    preparer = Counting(catalogs.PREPROCESSING, ReadingConfig(threads=1), StorageConfig())
    stream = preparer.stream([str(photo)] * 2_500, [None] * 2_500)
    for _ in range(500):
        next(stream)
    assert preparer.started < 1_600
    assert sum(each.pixels is not None for each in stream) == 2_000
