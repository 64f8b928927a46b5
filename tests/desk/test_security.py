"""Nobody but those whom a desk is for can read or change anything."""

import io
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.helpers.desks import Served, config_of, served


def test_a_page_of_another_host_is_refused(desk: Served) -> None:
    answer = desk.client.get("/health", headers={"host": "shop.example:80"})
    assert answer.status_code == 421
    assert "shop.example" in answer.text


@pytest.mark.parametrize("headers", [{}, {"x-csrf-token": "0" * 64}])
def test_what_changes_anything_needs_the_page_s_own_token(
    desk: Served, headers: dict[str, str]
) -> None:
    desk.client.get("/nowhere")
    assert desk.client.post("/nowhere", headers=headers).status_code == 403


def test_a_request_from_another_origin_is_refused_whatever_it_brings(desk: Served) -> None:
    headers = {"x-csrf-token": desk.csrf(), "origin": "http://shop.example"}
    assert desk.client.post("/nowhere", headers=headers).status_code == 403


def test_the_token_of_another_session_is_worth_nothing(desk: Served) -> None:
    with httpx.Client(base_url=desk.url) as other:
        other.get("/nowhere")
        answer = other.post("/nowhere", headers={"x-csrf-token": desk.csrf()})
    assert answer.status_code == 403


def test_pages_allow_no_script_style_or_frame_of_others(desk: Served) -> None:
    policy = desk.client.get("/nowhere").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_a_desk_for_others_is_opened_by_its_token_once_and_then_by_a_cookie(shop: Path) -> None:
    with served(config_of(shop), token="letmein") as found:  # noqa: S106  # of this test
        assert found.client.get("/health").status_code == 401
        assert found.client.get("/health?token=wrong").status_code == 401
        answer = found.client.get("/health?token=letmein")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/health"
        assert "SameSite=Strict" in answer.headers["set-cookie"]
        assert found.client.get("/health").status_code == 200


def test_behind_a_proxy_the_user_is_whom_it_names_and_nobody_is_refused(shop: Path) -> None:
    with served(config_of(shop), user_header="X-User") as found:
        assert found.client.get("/nowhere").status_code == 401
        assert ">ann<" in found.client.get("/nowhere", headers={"X-User": "ann"}).text


def test_a_picture_is_of_an_item_of_the_table_alone(desk: Served, shop: Path) -> None:
    for item in ("../bundle/bundle.json", str(shop / "images" / "000.jpg"), "http://127.0.0.1/"):
        assert desk.client.get("/picture", params={"item": item}).status_code == 404
    answer = desk.client.get("/picture", params={"item": "000.jpg"})
    assert Image.open(io.BytesIO(answer.content)).format == "JPEG"


def test_an_image_outside_the_allowed_stores_is_not_shown(shop: Path) -> None:
    with served(config_of(shop, reading={"stores": [str(shop / "elsewhere")]})) as found:
        answer = found.client.get("/picture", params={"item": "000.jpg"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "image/svg+xml"


def test_a_picture_is_sent_once_while_the_image_is_the_same(desk: Served) -> None:
    first = desk.client.get("/picture", params={"item": "000.jpg"})
    again = desk.client.get(
        "/picture", params={"item": "000.jpg"}, headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_picture_of_a_size_that_there_is_not_is_refused(desk: Served) -> None:
    for asked in ({"item": "000.jpg", "size": "huge"}, {"size": "small"}):
        assert desk.client.get("/picture", params=asked).status_code == 422


@pytest.mark.parametrize("path", ["/static/../state.py", "/static/%2e%2e/state.py"])
def test_no_file_beside_the_static_ones_is_served(desk: Served, path: str) -> None:
    assert desk.client.get(path).status_code == 404


def test_a_form_of_many_megabytes_is_refused(desk: Served) -> None:
    headers = {"x-csrf-token": desk.csrf()}
    answer = desk.client.post("/nowhere", content=b"x" * 2_000_000, headers=headers)
    assert answer.status_code == 413
