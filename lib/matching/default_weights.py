"""The weights that scores have where no labelled pairs are given.

Those of names were fitted on the training pairs of Abt-Buy and Amazon-Google together, with the
signs that their meaning has, and rounded. Amounts, sizes and equal texts are too rare there, and
weigh more by hand. Those of images are by hand alone: cosines of unlike photos differ by backbone.
None of them promises anything.
"""

from typing import Final

from lib.matching.linear import Linear
from lib.matching.name_features import NAME_FEATURES

_NAMES: Final = {
    "token_set": 1.2,
    "token_sort": 0.0,
    "grams": 5.5,
    "words": 0.7,
    "covered_least": 0.0,
    "covered_most": 1.0,
    "same_text": 1.5,
    "models_shared": 3.0,
    "models_differ": -0.6,
    "models_one_side": 0.0,
    "numbers_shared": 0.2,
    "numbers_differ": -1.1,
    "amounts_shared": 0.4,
    "amounts_differ": -2.5,
    "colours_shared": 1.5,
    "colours_differ": -2.0,
    "sizes_differ": -2.5,
}
NAMES: Final = Linear(tuple(_NAMES[name] for name in NAME_FEATURES), -6.7)

# log odds of the names, cosine of the images, whether they are near-copies; then what is there:
# both, images alone (names alone is where all are 0)
FINAL_FEATURES: Final = ("name", "image", "near_copy", "both", "image_alone")
FINAL: Final = Linear((1.0, 20.0, 3.0, -17.0, -18.0), 0.0)
