"""Small image files of odd kinds, made here: whole, damaged where it does not matter, or cut."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def drawn(height: int = 48, width: int = 64) -> Image.Image:
    """Return a picture with colours of all kinds, and no row like another."""
    y, x = np.mgrid[:height, :width]
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    blue = 127 + 100 * np.sin(x / 5) * np.cos(y / 7)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    """Return an image file as Pillow writes it."""
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes, *, damaged: bool = False) -> bytes:
    """Return a PNG chunk; a damaged one has a wrong checksum."""
    checksum = zlib.crc32(kind + data) ^ damaged
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def with_chunks(png: bytes, *chunks: bytes, before_end: bool = False) -> bytes:
    """Put chunks behind a PNG file's header, or before its end."""
    place = len(png) - 12 if before_end else 33
    return png[:place] + b"".join(chunks) + png[place:]


def bitmap(image: Image.Image, masks: tuple[int, ...], bits: int, *, upside: bool = False) -> bytes:
    """Return a BMP file of masks for red, green, blue and perhaps alpha.

    Args:
        image: RGB, or RGBA where there is a mask of alpha.
        masks: where the bits of each colour lie.
        bits: of a pixel, 16 or 32.
        upside: whether the first row comes first.
    """
    words = np.zeros((image.height, image.width), np.uint32)
    for plane, mask in zip(np.moveaxis(np.asarray(image), -1, 0), masks, strict=True):
        low = mask & -mask
        words |= (plane / 255 * (mask // low)).round().astype(np.uint32) * np.uint32(low)
    rows = words.astype(f"<u{bits // 8}")[:: 1 if upside else -1]
    body = b"".join(row.tobytes().ljust((image.width * bits + 31) // 32 * 4, b"\0") for row in rows)
    size = 108 if len(masks) > 3 else 40
    height = -image.height if upside else image.height
    info = struct.pack("<IiiHHIIiiII", size, image.width, height, 1, bits, 3, len(body), 0, 0, 0, 0)
    info = (info + struct.pack(f"<{len(masks)}I", *masks)).ljust(max(size, 52), b"\0")
    front = 14 + len(info)
    return struct.pack("<2sIII", b"BM", front + len(body), 0, front) + info + body


def gif_on(canvas: tuple[int, int], image: Image.Image, place: tuple[int, int]) -> bytes:
    """Return a GIF file whose frame lies somewhere on, or partly beyond, a canvas."""
    data = encode(image.quantize(16), "GIF")
    frame = struct.pack("<HHHH", 0, 0, *image.size)
    moved = struct.pack("<HHHH", *place, *image.size)
    assert data.count(b"," + frame) == 1
    return data[:6] + struct.pack("<HH", *canvas) + data[10:].replace(b"," + frame, b"," + moved)


_LONG_TEXT = b"Comment\0\0" + zlib.compress(bytes(2**21))
_LONG_XMP = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(2**21))
# beside the pixels of a PNG file, and no matter to them
ODD_CHUNKS = {
    "a damaged gamma": chunk(b"gAMA", struct.pack(">I", 20_000), damaged=True),
    "a damaged transparent colour": chunk(b"tRNS", bytes(6), damaged=True),
    "a damaged text": chunk(b"tEXt", b"Comment\0text", damaged=True),
    "a text of an unknown method": chunk(b"zTXt", b"Comment\0\7text"),
    "a text that is no zlib stream": chunk(b"zTXt", b"Comment\0\0text"),
    "a text of two megabytes": chunk(b"zTXt", _LONG_TEXT),
    "metadata of two megabytes": chunk(b"iTXt", _LONG_XMP),
    "a profile of two megabytes": chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(2**21))),
    "a profile of an unknown method": chunk(b"iCCP", b"p\0\7profile"),
    "an unknown kind": chunk(b"juNk", b"anything"),
    "an empty animation": chunk(b"acTL", bytes(8)),
    "a short animation header": chunk(b"acTL", b"\0"),
    "an animation without a first frame": chunk(b"acTL", struct.pack(">II", 1, 0)),
    "a frame out of turn": chunk(b"acTL", struct.pack(">II", 1, 0)) + chunk(b"fcTL", bytes(26)),
}


def lossless_jpeg(width: int, height: int) -> bytes:
    """Return a grey picture in the lossless process (SOF3), in RGB; Pillow writes none."""

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    components = (1, 2, 3)
    frame = struct.pack(">BHHB", 8, height, width, 3)
    frame += b"".join(bytes((each, 0x11, 0)) for each in components)
    # one code, of one bit, which says that a pixel is as its neighbour
    table = bytes((0, 1, *[0] * 15, 0))
    scan = bytes((3, *[part for each in components for part in (each, 0)], 1, 0, 0))
    bits = bytes(-(-width * height * 3 // 8))
    segments = segment(0xC3, frame) + segment(0xC4, table) + segment(0xDA, scan)
    return b"\xff\xd8" + segments + bits + b"\xff\xd9"
