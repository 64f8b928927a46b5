"""Pictures of the table's items: asked for by item alone, never by an address."""

from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from lib.desk.pictures import LARGE_PX, SMALL_PX
from lib.desk.render import desk_of
from lib.hashing import digest_bytes
from lib.reasons import ItemError

router = APIRouter()
SIDES_PX = {"small": SMALL_PX, "large": LARGE_PX}
# what stands for an image that cannot be shown: words that can be read in a tile, and beside it
_NONE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}"><text x="50%" \
y="50%" text-anchor="middle" dominant-baseline="middle" font-family="system-ui, sans-serif" \
font-size="24" fill="#7d8590">cannot be shown</text></svg>"""
NONE: Final = {"small": _NONE.format(side=240).encode(), "large": _NONE.format(side=600).encode()}


async def picture(request: Request) -> Response:
    """Return an item's picture, which a browser may keep as long as the image is the same."""
    item, size = request.query_params.get("item"), request.query_params.get("size", "small")
    if item is None or size not in SIDES_PX:
        raise HTTPException(422, "A picture is asked for with an item, and a size that is known.")
    desk, side_px = desk_of(request), SIDES_PX[size]
    # a sheet has sixty of them: what is at hand waits for no thread
    found = desk.table.shown_image(item) or await run_in_threadpool(desk.table.image_of, item)
    if found is None:
        return Response(NONE[size], 404, media_type="image/svg+xml")
    uri, etag = found
    version = f"{uri}\n{etag}\n{size}".encode()
    headers = {"etag": f'"{digest_bytes(version)}"', "cache-control": "private, max-age=300"}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    try:
        jpeg = desk.pictures.kept(uri, etag, side_px) or await run_in_threadpool(
            desk.pictures.of_item, uri, etag, side_px
        )
    except ItemError as error:
        gone = {"cache-control": "no-store", "x-why": str(error.reason)}
        return Response(NONE[size], 404, gone, "image/svg+xml")
    return Response(jpeg, 200, headers, "image/jpeg")


# a route of the plain kind: what would check its parameters takes longer than the picture
router.add_route("/picture", picture, methods=["GET"])
