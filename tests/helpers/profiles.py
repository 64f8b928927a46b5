"""ICC profiles, made here: of screens by their primaries and gamma, of grey, and of four inks."""

import struct
from itertools import product

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

# xyY's x and y of red, green and blue, as the colour spaces' makers say, with D65
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
DISPLAY_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))  # with D50
D50, D65 = (0.3457, 0.3585), (0.3127, 0.3290)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_GRID = 5


def of_screen(
    primaries: tuple[tuple[float, float], ...], gamma: float, white: tuple[float, float] = D65
) -> bytes:
    """Return a profile of three primaries and one gamma."""
    columns = np.stack([_xyz(*each) for each in primaries], axis=1)
    columns *= np.linalg.solve(columns, _xyz(*white))
    ours, theirs = _BRADFORD @ _xyz(*white), _BRADFORD @ _xyz(*D50)
    columns = np.linalg.inv(_BRADFORD) @ np.diag(theirs / ours) @ _BRADFORD @ columns
    tags = {f"{name}XYZ": _xyz_tag(columns[:, at]) for at, name in enumerate("rgb")}
    return _profile("mntr", "RGB ", "XYZ ", tags | {f"{name}TRC": _curve(gamma) for name in "rgb"})


def of_grey(gamma: float) -> bytes:
    """Return a profile of grey with a gamma."""
    return _profile("mntr", "GRAY", "XYZ ", {"kTRC": _curve(gamma)})


def of_inks() -> bytes:
    """Return a profile of four inks, that are duller than a screen's colours."""
    paper = np.array([0.9642, 1.0, 0.8249])
    inks = np.array(
        [[0.16, 0.24, 0.55], [0.33, 0.17, 0.13], [0.70, 0.76, 0.08], [0.02, 0.02, 0.02]]
    )
    lut = bytearray()
    for amounts in product(np.linspace(0, 1, _GRID), repeat=4):
        colour = np.ones(3)
        for amount, ink in zip(amounts, inks, strict=True):
            colour *= 1 - amount + amount * ink
        lut += bytes(np.rint(_lab(colour * paper, paper)).astype(np.uint8).tolist())
    ramp = bytes(range(256))
    head = struct.pack(">4s4xBBBx", b"mft1", 4, 3, _GRID)
    matrix = struct.pack(">9i", *(65536 if at % 4 == 0 else 0 for at in range(9)))
    tag = head + matrix + ramp * 4 + bytes(lut) + ramp * 3
    return _profile("prtr", "CMYK", "Lab ", {"A2B0": tag})


def _xyz(x: float, y: float) -> Vector:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _lab(xyz: Vector, white: Vector) -> Vector:
    """Return L*, a* and b* as a profile's bytes have them."""
    f = [t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in xyz / white]
    lightness, a, b = 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])
    encoded: Vector = np.clip([lightness * 2.55, a + 128, b + 128], 0, 255)
    return encoded


def _xyz_tag(xyz: Vector) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(each * 65536) for each in xyz))


def _curve(gamma: float) -> bytes:
    return struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256))


def _profile(kind: str, colours: str, between: str, tags: dict[str, bytes]) -> bytes:
    text = b"made in a test\0"
    tags = {
        "desc": struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78),
        "cprt": b"text\0\0\0\0" + text,
        "wtpt": _xyz_tag(_xyz(*D50)),
        **tags,
    }
    place = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name.encode(), place + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    size = place + len(body)
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x", size, 0x02100000, kind.encode(), colours.encode(),
        between.encode(), b"acsp", 63190, 65536, 54061,
    )  # fmt: skip
    return head + table + body
