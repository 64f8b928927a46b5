# a command
"""A frozen network's embeddings and a linear head: what takes a minute and no tuning.

The head is linear discriminant analysis in closed form, or scikit-learn's logistic regression.
"""

import timm.data
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.peers.labelled_photos import (
    Photos,
    load_network,
    parser,
    read_manifest,
    write_answers,
)
from lib.heads.lda import moments_of

BATCH = 64
SHRINKAGE = 0.1


def main() -> None:
    """Embed, fit, predict, write."""
    parsing = parser()
    parsing.add_argument("--head", choices=["closed-form", "logistic"], required=True)
    given = parsing.parse_args()
    network = load_network(given, 0).eval()
    (uris, categories), test = read_manifest(given.train), read_manifest(given.test)
    names = sorted(set(categories))
    targets = torch.tensor([names.index(each) for each in categories])
    train, asked = embed(network, uris), embed(network, test[0])
    if given.head == "closed-form":
        moments = moments_of([train], targets, len(names))
        weight, bias = moments.discriminants(shrinkage=SHRINKAGE)
        probabilities = (asked @ weight.T + bias).softmax(dim=1)
    else:
        head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        head.fit(train.numpy(), targets.numpy())
        probabilities = torch.from_numpy(head.predict_proba(asked.numpy()))
    write_answers(given.answers, test, names, probabilities)


def embed(network: nn.Module, uris: list[str]) -> Tensor:
    """Return embeddings, float32 [n, d]."""
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    photos = Photos(uris, [0] * len(uris), transform)
    with torch.inference_mode():
        return torch.cat([network(images) for images, _ in DataLoader(photos, BATCH)])


if __name__ == "__main__":
    main()
