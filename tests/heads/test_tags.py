import pytest
import torch
from torch import Tensor

from lib.errors import InputError
from lib.heads.tag_examples import TagExamples, parse_examples
from lib.heads.tags import Background, probabilities
from lib.labels.decisions import NEVER
from lib.labels.promises import Accept

WIDTH = 40
ACCEPT = Accept(precision=0.9, mode="strict")


def catalog(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw embeddings, and which of them, one in ten, have the tag: they lie to one side."""
    generator = torch.Generator().manual_seed(seed)
    rows = 2 + torch.randn(count, WIDTH, generator=generator)
    has = torch.arange(count) % 10 == 0
    rows[has, :4] += 4
    return rows, has


def test_a_few_examples_find_most_of_what_has_the_tag() -> None:
    rows, has = catalog(2000, 1)
    background = Background(catalog(1000, 2)[0])

    head = background.fit(rows[has][:5], torch.empty(0, WIDTH), ACCEPT)
    found = probabilities(rows, [head])[:, 0]

    best = found.argsort(descending=True)[: int(has.sum())]
    assert has[best].float().mean() > 0.7


def test_without_counter_examples_nothing_is_promised() -> None:
    rows, has = catalog(2000, 1)

    head = Background(rows).fit(rows[has][:100], torch.empty(0, WIDTH), ACCEPT)

    assert head.threshold == NEVER
    assert (head.low, head.high, head.needed) == (None, None, None)


def test_enough_examples_of_both_kinds_keep_the_promise_on_others() -> None:
    rows, has = catalog(4000, 1)
    head = Background(rows[2000:]).fit(rows[has][:100], rows[~has][:100], ACCEPT)
    others, truth = catalog(4000, 3)
    half = torch.cat([others[truth], others[~truth][: int(truth.sum())]])
    right = torch.arange(len(half)) < truth.sum()

    accepted = probabilities(half, [head])[:, 0] >= head.threshold

    assert head.threshold < NEVER
    assert accepted.sum() > 0.5 * right.sum()
    assert right[accepted].float().mean() > 0.85


def test_too_few_examples_say_how_many_more_would_do() -> None:
    rows, has = catalog(2000, 1)

    head = Background(rows).fit(rows[has][:12], rows[~has][:12], ACCEPT)

    assert head.threshold == NEVER
    assert head.needed
    assert head.needed > 5


def test_the_length_of_an_embedding_does_not_matter() -> None:
    rows, has = catalog(500, 1)
    head = Background(rows).fit(rows[has][:5], rows[~has][:5], ACCEPT)

    assert torch.allclose(probabilities(rows, [head]), probabilities(9 * rows, [head]), atol=1e-5)


def test_examples_are_read() -> None:
    text = "tag,item_id,holds\nred,a,yes\nred,b,\nred,c,1\nred,d,no\nblue,a,\nblue,b,\nblue,c,\n"

    assert parse_examples(text, "tags.csv") == [
        TagExamples(tag="red", positive=("a", "b", "c"), negative=("d",)),
        TagExamples(tag="blue", positive=("a", "b", "c"), negative=()),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("item_id\na\n", "the column 'tag' is missing"),
        ("", "the column 'tag' is missing"),
        ("tag,item_id\n", "there are no examples in it"),
        ("tag,item_id\nred,a\n", "the tag 'red' has 1 example with an embedding; at least 3"),
        ("tag,item_id,holds\nred,a,maybe\n", "line 2: 'maybe' is neither yes nor no"),
        ("tag,item_id\nred,\n", "line 2: a value is missing"),
        ("tag,item_id,holds\nred,a,yes\nred,a,no\n", "line 3: item 'a' is said to have the tag"),
    ],
)
def test_examples_that_say_too_little_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_examples(text, "tags.csv")
