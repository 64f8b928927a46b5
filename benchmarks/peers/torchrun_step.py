# ruff: noqa: T201  # it speaks to a program
# a command
"""A script of one's own for torchrun: DDP over photos in memory, and the same step as ours.

    torchrun --standalone --nproc-per-node=2 -m benchmarks.peers.torchrun_step --photos F ...

The step: crop, stretch, turn, mirror and light, AdamW, gradients scaled down to a norm, averaged
weights; batch norms keep their statistics. Nothing is validated; each epoch ends with a checkpoint,
which the images per second leave out and the core's time does not.
"""

import argparse
import time

import safetensors.torch
import timm
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lib.training.augmentation import augment
from lib.training.config import AugmentationConfig

ARCHITECTURE = "tf_efficientnet_lite0"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    """Train, and print images per second and milliseconds of a core per image, epoch by epoch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", required=True, help="safetensors of pixels and targets")
    parser.add_argument("--weights", required=True, help="safetensors of `backbone.` and `head.`")
    parser.add_argument("--batch-size", type=int, required=True, help="of all workers together")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--checkpoint", required=True, help="file")
    given = parser.parse_args()
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(rank)
    photos = safetensors.torch.load_file(given.photos)
    pixels, targets = photos["pixels"][rank::world], photos["targets"][rank::world]
    model = load(given.weights)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) * 255 for each in (MEAN, STD))
    augmentation, generator = AugmentationConfig(), torch.Generator().manual_seed(rank)
    for _ in range(given.epochs):
        began, cpu_began_s = time.perf_counter(), time.process_time()
        for chosen in torch.randperm(len(pixels)).split(given.batch_size // world):
            images = (augment(pixels[chosen], augmentation, generator) - mean) / std
            logits = ddp(images.contiguous(memory_format=torch.channels_last))
            loss = cross_entropy(logits, targets[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            averaged.update_parameters(model)
        seconds = time.perf_counter() - began
        if rank == 0:
            state = {
                "model": model.state_dict(),
                "averaged": averaged.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
            torch.save(state, given.checkpoint)
        cpu_s = torch.tensor(time.process_time() - cpu_began_s)
        dist.all_reduce(cpu_s)
        if rank == 0:
            count = len(photos["targets"])
            print(f"images_per_s {count / seconds:.3f}", flush=True)
            print(f"core_ms {1000 * float(cpu_s) / count:.3f}", flush=True)
    dist.destroy_process_group()


def load(weights: str) -> nn.Module:
    """Build the network, with its weights, and its batch norms as they are."""
    tensors = safetensors.torch.load_file(weights)
    categories = len(tensors["head.bias"])
    model: nn.Module = timm.create_model(ARCHITECTURE, num_classes=categories)
    model.load_state_dict(
        {
            name.replace("backbone.", "").replace("head.", "classifier."): value
            for name, value in tensors.items()
        },
        strict=False,  # counts of batches, which batch norms that learn would want
    )
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return model.to(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
