from collections.abc import Iterator

import pytest

from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.reasons import ItemError, Reason
from lib.storage.config import StorageConfig
from lib.storage.retries import Retries
from lib.storage.web import _may_reach
from tests.helpers.web_site import Site, serve


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(b"photo") as site:
        yield site


@pytest.fixture
def other() -> Iterator[Site]:
    with serve(b"photo") as site:
        yield site


def fetch(uri: str, *stores: str, config: StorageConfig | None = None) -> bytes:
    """Fetch from these stores; without any, nothing says where images may lie."""
    reading = ReadingConfig(stores=stores or None)
    return Fetcher(config or StorageConfig(), Retries(0), reading).fetch(uri)


def refusal(uri: str, *stores: str) -> tuple[str, str]:
    with pytest.raises(ItemError) as caught:
        fetch(uri, *stores)
    return caught.value.reason, caught.value.detail


# redirects


def test_a_redirect_within_the_stores_is_followed(site: Site, other: Site) -> None:
    assert fetch(f"{site.url}/a.jpg?/photos/b.jpg", site.url) == b"photo"
    assert fetch(f"{site.url}/a.jpg?{other.url}/b.jpg", site.url, other.url) == b"photo"
    assert fetch(f"{site.url}/a.jpg?/b.jpg") == b"photo"


def test_a_redirect_that_leads_out_of_the_stores_is_not_followed(site: Site, other: Site) -> None:
    reason, detail = refusal(f"{site.url}/a.jpg?{other.url}/b.jpg", site.url)
    assert reason == Reason.OUTSIDE_STORE
    assert detail.startswith(f"it redirects, and {other.url}/b.jpg does not lie in {site.url}; ")
    for path in ("/secret.jpg", "/photos/%2e%2e/secret.jpg", "/photos/..%2fsecret.jpg"):
        folder = f"{site.url}/photos/"
        assert refusal(f"{folder}a.jpg?{path}", folder)[0] == Reason.OUTSIDE_STORE
    assert other.asked == []
    assert all(path.startswith("/photos/a.jpg") for path, _ in site.asked[1:])


def test_without_stores_a_redirect_stays_with_its_host(site: Site, other: Site) -> None:
    assert refusal(f"{site.url}/a.jpg?{other.url}/b.jpg")[0] == Reason.OUTSIDE_STORE
    assert other.asked == []


@pytest.mark.parametrize("elsewhere", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,x"])
def test_a_redirect_to_what_is_no_web_server_costs_one_item(site: Site, elsewhere: str) -> None:
    assert refusal(f"{site.url}/a.jpg?{elsewhere}", site.url)[0] == Reason.FETCH_FAILED


def test_a_redirect_in_a_circle_costs_one_item(site: Site) -> None:
    assert refusal(f"{site.url}/circle.jpg", site.url)[0] == Reason.FETCH_FAILED


def test_a_password_is_not_sent_on_to_another_host(site: Site, other: Site) -> None:
    config = StorageConfig(options={"headers": {"Authorization": "Basic secret"}})
    uri = f"{site.url}/a.jpg?{other.url}/b.jpg"
    assert fetch(uri, site.url, other.url, config=config) == b"photo"
    assert site.asked[0][1] == "Basic secret"
    assert other.asked == [("/b.jpg", None)]


# addresses


def test_a_private_address_is_read_where_a_store_names_its_host(site: Site) -> None:
    by_name = site.url.replace("127.0.0.1", "localhost")
    assert fetch(f"{site.url}/a.jpg", site.url) == b"photo"
    assert fetch(f"{site.url}/a.jpg", "http://", site.url) == b"photo"
    assert fetch(f"{by_name}/a.jpg", by_name) == b"photo"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "0x7f.0.0.1", "\N{FULLWIDTH DIGIT ONE}27.0.0.1"),
        *("[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]"),  # noqa: S104  # nothing is bound
    ],
)
def test_a_private_address_is_not_asked_where_no_store_names_it(site: Site, host: str) -> None:
    reason, detail = refusal(f"http://{host}:{site.server_port}/a.jpg", "http://")
    assert (reason, detail) == (
        Reason.OUTSIDE_STORE,
        "the host has no public address; reading.stores in the run file may name it",
    )
    assert site.asked == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0177.0.0.1"])
def test_an_address_in_an_odd_spelling_is_not_asked(site: Site, host: str) -> None:
    refusal(f"http://{host}:{site.server_port}/a.jpg", "http://")
    assert site.asked == []


def test_a_redirect_to_a_private_address_is_not_followed(site: Site, other: Site) -> None:
    reason, _ = refusal(f"{site.url}/a.jpg?{other.url}/b.jpg", "http://", site.url)
    assert reason == Reason.OUTSIDE_STORE
    assert other.asked == []


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.169.254"),
        *("0.0.0.0", "224.0.0.1", "255.255.255.255"),  # noqa: S104  # nothing is bound
        *("::", "::1", "fd00:ec2::254", "fe80::1%eth0"),
        *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "ff02::1", "2852039166"),
    ],
)
def test_an_address_that_is_not_public_is_for_named_hosts_alone(address: str) -> None:
    assert not _may_reach(address, None)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::", "64:ff9b::5db8:d822"])
def test_a_public_address_is_for_every_host(address: str) -> None:
    assert _may_reach(address, None)


def test_the_own_link_is_only_for_addresses_that_are_named() -> None:
    assert _may_reach("10.0.0.1", "images.example.com")
    assert not _may_reach("169.254.169.254", "images.example.com")
    assert not _may_reach("::ffff:169.254.169.254", "images.example.com")
    assert _may_reach("169.254.169.254", "169.254.169.254")


# chains


@pytest.mark.parametrize(
    "chain", ["simplecache::", "filecache::", "zip://a.jpg::", "dir::", "simplecache::zip://a::"]
)
def test_no_chain_leads_to_a_web_server(site: Site, chain: str) -> None:
    uri = f"{chain}{site.url}/a.jpg"
    for stores in ((), (f"{chain}{site.url}/", f"{chain}http://", "zip://")):
        assert refusal(uri, *stores)[0] in {Reason.FETCH_FAILED, Reason.OUTSIDE_STORE}
    assert site.asked == []
