"""A tiny text encoder with random weights, saved as sentence-transformers saves any."""

from pathlib import Path

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WIDTH, TOKENS = 64, 24


def write_encoder(folder: Path, words: tuple[str, ...], *, normalised: bool = True) -> Path:
    """Write a BERT of one layer that knows some words, and all others by their letters.

    Args:
        folder: takes it.
        words: in small letters.
        normalised: whether a Normalize follows.
    """
    import torch  # noqa: PLC0415  # seconds, which only these tests wait for
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # optional
    from sentence_transformers.sentence_transformer import modules  # noqa: PLC0415  # optional
    from transformers import BertConfig, BertModel, BertTokenizer  # noqa: PLC0415  # optional

    folder.mkdir(parents=True)
    pieces = [
        *VOCABULARY,
        *dict.fromkeys([*words, *LETTERS]),
        *(f"##{letter}" for letter in LETTERS),
    ]
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(pieces))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=WIDTH,
        max_position_embeddings=TOKENS,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(vocabulary)).save_pretrained(folder)
    parts = [modules.Transformer(str(folder)), modules.Pooling(WIDTH)]
    SentenceTransformer(modules=[*parts, *([modules.Normalize()] * normalised)]).save(str(folder))
    return folder
