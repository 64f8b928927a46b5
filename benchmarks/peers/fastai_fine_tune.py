# a command
"""fastai's `fine_tune`, as its tutorials train an image classifier.

After https://docs.fast.ai/tutorial.vision.html: photos resized larger and augmented in batches, the
head for one epoch, then all layers at rates that fall towards the input. All labels are trained on.
"""

import warnings

from fastai.vision.all import ImageDataLoaders, Resize, aug_transforms, set_seed, vision_learner

from benchmarks.peers.labelled_photos import parser, pretrained, read_manifest, write_answers

BATCH = 16


def main() -> None:
    """Fine-tune, predict, write."""
    parsing = parser()
    parsing.add_argument("--epochs", type=int, required=True)
    given = parsing.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    set_seed(given.seed, reproducible=True)
    uris, categories = read_manifest(given.train)
    loaders = ImageDataLoaders.from_lists(
        "/",
        uris,
        categories,
        valid_pct=0.0,
        item_tfms=Resize(given.size_px * 4 // 3),
        batch_tfms=aug_transforms(size=given.size_px, min_scale=0.75),
        bs=BATCH,
        num_workers=0,  # two new processes an epoch take longer than its photos
    )
    learner = vision_learner(loaders, given.network, **pretrained(given))
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(given.epochs)
        test = read_manifest(given.test)
        probabilities, _ = learner.get_preds(dl=loaders.test_dl(test[0]))
    write_answers(given.answers, test, list(loaders.vocab), probabilities)


if __name__ == "__main__":
    main()
