import torch

from lib.images.preprocessing import Preprocessing
from lib.models.classifier import build_classifier
from lib.training.config import AugmentationConfig
from lib.training.cut import Cut, find_cut
from lib.training.inputs import VIEWS, Features, Pixels, make_features

PREPROCESSING = Preprocessing(size_px=64, fit="crop", mean=(0.5, 0.5, 0.5), std=(0.3, 0.3, 0.3))
STILL = AugmentationConfig(zoom=0, stretch=0, rotation_degrees=0, flip=False, light=0)
CPU = torch.device("cpu")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(augmentation: AugmentationConfig, train: int = 5, held_out: int = 3) -> Pixels:
    photos = torch.randint(256, (train + held_out, 3, 64, 64), generator=seeded()).to(torch.uint8)
    return Pixels(
        train=photos[:train],
        validation=photos[train:],
        preprocessing=PREPROCESSING,
        augmentation=augmentation,
        batch_size=2,
        device=CPU,
    )


def cut_network() -> Cut:
    torch.manual_seed(0)
    cut = find_cut(build_classifier("squeezenet1_1", 3, 64), "features.9", 64)
    assert cut
    return cut


def features(*views: torch.Tensor, flip: bool = False) -> Features:
    return Features(train=list(views), validation=views[0][:0], flip=flip, batch_size=2, device=CPU)


def test_features_of_photos_that_are_not_changed_are_those_of_the_network() -> None:
    cut, shown = cut_network(), pixels(STILL)
    made = make_features(cut, shown, seeded())
    expected = cut.features(torch.cat([*shown.as_they_are(shown.train)]))
    assert len(made.train) == VIEWS
    assert not made.flip
    for view in made.train:
        torch.testing.assert_close(view.float(), expected, rtol=1e-2, atol=1e-2)
    held_out = torch.cat([*made.held_out()])
    expected = cut.features(torch.cat([*shown.held_out()]))
    torch.testing.assert_close(held_out, expected, rtol=1e-2, atol=1e-2)


def test_views_are_changed_each_in_its_own_way_and_the_first_is_not() -> None:
    cut, changed = cut_network(), pixels(AugmentationConfig())
    made = make_features(cut, changed, seeded())
    still = make_features(cut, pixels(STILL), seeded())
    assert made.flip
    assert torch.equal(made.train[0], still.train[0])
    assert not torch.allclose(made.train[0], made.train[1], atol=0.1)
    assert torch.equal(made.train[1], make_features(cut, changed, seeded()).train[1])


def test_a_batch_has_one_view_of_each_photo_that_was_chosen() -> None:
    photos = torch.arange(6).view(6, 1, 1, 1).expand(6, 2, 3, 3).half()
    shown = features(photos, photos + 100, photos + 200)
    batch = shown.batch(torch.tensor([4, 0, 4, 1, 5, 3]), seeded())
    assert batch.dtype == torch.float32
    assert (batch % 100)[:, 0, 0, 0].tolist() == [4, 0, 4, 1, 5, 3]
    assert len({int(each) // 100 for each in batch[:, 0, 0, 0]}) > 1


def test_some_features_are_mirrored_and_nothing_else_happens_to_them() -> None:
    photos = torch.rand(40, 2, 3, 3, generator=seeded()).half()
    batch = features(photos, flip=True).batch(torch.arange(40), seeded())
    as_is = [torch.equal(a, b) for a, b in zip(batch, photos.float(), strict=True)]
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(batch, photos.float(), strict=True)]
    assert all(a != b for a, b in zip(as_is, mirrored, strict=True))
    assert 5 < sum(mirrored) < 35


def test_without_held_out_photos_there_are_no_batches_of_them() -> None:
    shown = pixels(STILL, held_out=0)
    assert [*shown.held_out()] == []
    assert [*make_features(cut_network(), shown, seeded()).held_out()] == []
