"""One product as an image file: before its backdrop, in one of several forms, or broken."""

import colorsys
import io
import struct
import zlib
from random import Random

from PIL import Image, ImageFilter

from examples.demo_catalog.kinds import Kind
from examples.demo_catalog.pen import Look, Pen
from examples.demo_catalog.shapes import toned

JPEG_FORMS = ("jpeg", "grey", "turned")
EXIF_ORIENTATION = 0x0112


def _scene(rng: Random, kind: Kind, look: Look, *, backdrop: bool = True) -> Image.Image:
    """Draw one product before its backdrop, or cut out on a transparent ground."""
    long = rng.randint(240, 480)
    short = max(160, round(long * rng.choice((0.67, 0.75, 0.8, 0.8, 1.0, 1.0))))
    wide, tall = kind.reach
    upright = wide <= tall if rng.random() < 0.75 else rng.random() < 0.5
    size = (short, long) if upright else (long, short)
    filled = rng.uniform(0.7, 0.92)
    scale = filled / 2 * min(side / reach for side, reach in zip(size, kind.reach, strict=True))
    room = [side / 2 - scale * reach for side, reach in zip(size, kind.reach, strict=True)]
    centre = (
        size[0] / 2 + room[0] * rng.uniform(-0.5, 0.5),
        size[1] / 2 + room[1] * rng.uniform(-0.5, 0.5),
    )
    tilt = rng.uniform(-3, 3) if kind.stands else rng.uniform(-14, 14)
    pen = Pen(size, centre, (scale * rng.choice((-1, 1)), scale), tilt)
    kind.draw(pen, look)
    product = pen.finished()
    if not backdrop:
        return product
    floor = centre[1] + scale * kind.reach[1] * rng.uniform(0.55, 0.8)
    picture = _backdrop(rng, size, floor, bright=sum(look.body.colour) > 540)
    if rng.random() < 0.8:
        _cast_shadow(rng, picture, product, stands=kind.stands)
    picture.paste(product, (0, 0), product)
    return picture


def _backdrop(rng: Random, size: tuple[int, int], floor: float, *, bright: bool) -> Image.Image:
    """Paint what stands behind a product; behind a bright one it is darker."""
    hue, saturation = rng.random(), rng.choice((0.0, 0.1, 0.2, 0.35))
    lightness = rng.uniform(0.56, 0.7) if bright else rng.uniform(0.86, 0.97)
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    wall = (int(red * 255), int(green * 255), int(blue * 255))
    picture = Image.new("RGB", size, wall)
    kind = rng.choice(("plain", "gradient", "floor", "floor", "noise"))
    if kind == "gradient":
        ramp = Image.linear_gradient("L").resize(size)
        picture.paste(toned(wall, rng.uniform(0.75, 0.9)), mask=ramp)
    elif kind == "floor":
        below = toned(wall, rng.uniform(0.8, 0.92))
        picture.paste(below, (0, min(round(floor), size[1]), *size))
    elif kind == "noise":
        coarse = (size[0] // 4, size[1] // 4)
        grain = Image.frombytes("L", coarse, rng.randbytes(coarse[0] * coarse[1])).resize(size)
        picture.paste(toned(wall, 0.7), mask=grain.point([n // 6 for n in range(256)]))
    return picture


def _cast_shadow(rng: Random, picture: Image.Image, product: Image.Image, *, stands: bool) -> None:
    """Darken the picture beside the product, and under one that stands."""
    alpha, blur = product.getchannel("A"), max(picture.size) / 50
    shift = round(blur * rng.uniform(0.5, 1.2))
    cast = Image.new("L", alpha.size)
    cast.paste(alpha, (shift, shift))
    cast = cast.filter(ImageFilter.BoxBlur(blur))
    picture.paste((30, 28, 40), mask=cast.point([n * 3 // 10 for n in range(256)]))
    left, top, right, bottom = alpha.getbbox() or (0, 0, *picture.size)
    if stands:
        width, height = right - left, max(6, (bottom - top) // 14)
        pool = Image.radial_gradient("L").resize((width, height * 2))
        pool = pool.point([max(0, 150 - n) * 4 // 5 for n in range(256)])
        picture.paste((30, 28, 40), (left, bottom - height - height // 3), pool)


def encoded(rng: Random, kind: Kind, look: Look, form: str) -> bytes:
    """Draw a product and write it as one of the file forms."""
    picture = _scene(rng, kind, look, backdrop=form != "cutout")
    if form == "grey":
        picture = picture.convert("L")
    elif form == "palette":
        picture = picture.quantize(96)
    to = io.BytesIO()
    if form == "turned":
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(to, "JPEG", quality=88, exif=exif)
    elif form in JPEG_FORMS:
        picture.save(to, "JPEG", quality=rng.randint(78, 94))
    else:
        picture.save(to, "PNG", compress_level=4)
    return to.getvalue()


def broken(how: str, rng: Random, kind: Kind, look: Look) -> bytes:
    """Make a file that is no proper JPEG or PNG in the way named."""
    fixed = {
        "empty": b"",
        "missing": b"",
        "text": b"This product has no photo yet.\n",
        "web page": b"<!doctype html><title>502</title><h1>502 Bad Gateway</h1>\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z"/></svg>\n',
        "zeros": bytes(4096),
        "bomb": _bomb(60_000),
    }
    if how in fixed:
        return fixed[how]
    if how == "tiff":
        to = io.BytesIO()
        _scene(rng, kind, look).resize((160, 200)).save(to, "TIFF")
        return to.getvalue()
    content = encoded(rng, kind, look, "jpeg" if "jpeg" in how else "png")
    middle = len(content) // 2
    if how.startswith("half"):
        return content[:middle]
    garbage = rng.randbytes(len(content) // 4)
    return content[:middle] + garbage + content[middle + len(garbage) :]


def _bomb(side: int) -> bytes:
    """Make a PNG of a hundred bytes that declares a square of this side."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(64))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
