"""What a browser paints of image files: the pixels that a person would see on a white page."""

import base64
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

Painted = NDArray[np.uint8] | None
_PAINT = """
async url => {
  const image = new Image();
  image.src = url;
  try { await image.decode(); } catch (error) { return null; }
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return [canvas.width, canvas.height, btoa(text)];
}
"""


def paint(page: Page, files: Mapping[str, tuple[str, bytes]]) -> dict[str, Painted]:
    """Return the pixels of image files, uint8 [height, width, 3]; None where nothing is painted.

    Args:
        page: an empty one.
        files: media type and bytes, by name.
    """
    found: dict[str, Painted] = {}
    for name, (kind, data) in files.items():
        answer = page.evaluate(_PAINT, f"data:{kind};base64,{base64.b64encode(data).decode()}")
        if answer is None:
            found[name] = None
        else:
            width, height, pixels = answer
            shape = (height, width, 4)
            rgba = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(shape)
            found[name] = rgba[:, :, :3]
    return found
