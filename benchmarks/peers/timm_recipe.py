# a command
"""Fine-tuning with the ingredients of timm's own training script.

After https://github.com/huggingface/pytorch-image-models/blob/main/train.py: AdamW with warmup and
a cosine, RandAugment and random erasing, label smoothing, averaged weights. All labels are trained
on.
"""

import timm.data
import timm.optim
import timm.scheduler
import torch
from timm.loss import LabelSmoothingCrossEntropy
from timm.utils import ModelEmaV3
from torch.utils.data import DataLoader

from benchmarks.peers.labelled_photos import (
    Photos,
    load_network,
    parser,
    read_manifest,
    write_answers,
)

BATCH = 16
RATE, WEIGHT_DECAY, SMOOTHING = 5e-4, 0.05, 0.1
# timm's usual one, but for magnitudes above 9: there it posterizes to 0 bits, which Pillow refuses
AUGMENTATION = "rand-m9-mstd0.5-mmax9-inc1"
AVERAGING = 0.98  # of some hundred steps


def main() -> None:
    """Fine-tune, predict with the averaged weights, write."""
    parsing = parser()
    parsing.add_argument("--epochs", type=int, required=True)
    given = parsing.parse_args()
    torch.manual_seed(given.seed)
    uris, categories = read_manifest(given.train)
    names = sorted(set(categories))
    network = load_network(given, len(names))
    config = timm.data.resolve_model_data_config(network)
    train = timm.data.create_transform(
        **config,
        is_training=True,
        auto_augment=AUGMENTATION,
        re_prob=0.1,
        scale=(0.35, 1.0),
    )
    loader = DataLoader(
        Photos(uris, [names.index(each) for each in categories], train),
        batch_size=BATCH,
        shuffle=True,
        drop_last=len(uris) >= BATCH,
        num_workers=torch.get_num_threads(),
        persistent_workers=True,
    )
    optimizer = timm.optim.create_optimizer_v2(
        network, opt="adamw", lr=RATE, weight_decay=WEIGHT_DECAY
    )
    steps = len(loader)
    scheduler, _ = timm.scheduler.create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=given.epochs,
        warmup_epochs=max(given.epochs // 10, 1),
        warmup_lr=1e-6,
        min_lr=1e-6,
        step_on_epochs=False,
        updates_per_epoch=steps,
    )
    average = ModelEmaV3(network, decay=AVERAGING, use_warmup=True)
    loss_of = LabelSmoothingCrossEntropy(SMOOTHING)
    done = 0
    for _ in range(given.epochs):
        network.train()
        for images, targets in loader:
            loss = loss_of(network(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
            average.update(network, step=done)
            scheduler.step_update(done)
    test = read_manifest(given.test)
    shown = timm.data.create_transform(**config)
    photos = Photos(test[0], [0] * len(test[0]), shown)
    with torch.inference_mode():
        logits = torch.cat([average.module(images) for images, _ in DataLoader(photos, BATCH)])
    write_answers(given.answers, test, names, logits.softmax(dim=1))


if __name__ == "__main__":
    main()
