"""A file's first bytes say what it is, and which decoder opens it."""

import re
from typing import Final

from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lib.reasons import ItemError, Reason

_DECODED: Final[tuple[tuple[str, bytes, type[ImageFile]], ...]] = (
    ("JPEG", rb"\xff\xd8\xff", JpegImageFile),
    ("PNG", rb"\x89PNG\r\n\x1a\n", PngImageFile),
    ("WebP", rb"RIFF.{4}WEBP", WebPImageFile),
    ("GIF", rb"GIF8[79]a", GifImageFile),
    ("BMP", rb"BM.{12}[\x0c\x10(48@l|]\x00{3}", BmpImageFile),
    ("TIFF", rb"II[*+]\x00|MM\x00[*+]", TiffImageFile),
    ("AVIF", rb".{4}ftyp(?:avi[fs]|(?:mif1|msf1).{4,40}?avif)", AvifImageFile),
    ("JPEG 2000", rb"\x00{3}\x0cjP  \r\n\x87\n|\xffO\xffQ", Jpeg2KImageFile),
)
_NOT_DECODED: Final = (
    ("MP4 or QuickTime", rb".{4}ftyp"),
    ("PDF", rb"%PDF-"),
    ("Photoshop", rb"8BPS"),
    ("EPS", rb"%!PS|\xc5\xd0\xd3\xc6"),
    ("ICO", rb"\x00\x00[\x01\x02]\x00[^\x00]\x00"),
    ("Netpbm", rb"P[1-7fF]\s"),
    ("JPEG XL", rb"\xff\x0a|\x00{3}\x0cJXL "),
)
_HEIC: Final = rb".{4}ftyp(?:hei|hev|mif1|msf1)"
_TEXT_BYTES: Final = 4096  # as far as text is looked at


def recognise(data: bytes) -> tuple[str, type[ImageFile]]:
    """Return a format's name, and what opens its files.

    Raises:
        ItemError: the bytes are no image, or one of a format that is not decoded.
    """
    for name, pattern, opener in _DECODED:
        if re.match(pattern, data, re.DOTALL):
            return name, opener
    if re.match(_HEIC, data, re.DOTALL):
        return "HEIC", _opener_of_heic()
    for name, pattern in _NOT_DECODED:
        if re.match(pattern, data, re.DOTALL):
            raise ItemError(Reason.UNSUPPORTED_FORMAT, f"{name} files are not decoded")
    text = data[:_TEXT_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<") and (b"<html" in text or b"<!doctype html" in text):
        raise ItemError(Reason.NOT_AN_IMAGE, "the bytes are an HTML page, not an image")
    if text.startswith(b"<") and b"<svg" in text:
        raise ItemError(Reason.UNSUPPORTED_FORMAT, "SVG files are not decoded")
    if text.isascii() and text.decode().replace("\n", "").replace("\r", "").isprintable():
        raise ItemError(Reason.NOT_AN_IMAGE, "the bytes are text, not an image")
    raise ItemError(Reason.NOT_AN_IMAGE, "the bytes are of no known image format")


def _opener_of_heic() -> type[ImageFile]:
    try:
        from pillow_heif import HeifImageFile  # noqa: PLC0415  # an extra, and few need it
    except ImportError:
        raise ItemError(
            Reason.UNSUPPORTED_FORMAT,
            "HEIC files are decoded where pillow-heif is installed: pip install 'reshelve[heic]'",
        ) from None
    opener: type[ImageFile] = HeifImageFile
    return opener
