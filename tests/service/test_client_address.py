"""Whose request it is: a header that anybody can send moves nobody to another address."""

from ipaddress import ip_address

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from service.client_address import caller_of, client_address, client_of, read_networks
from service.settings import BadSetting

PROXIES = read_networks("10.0.0.0/8, 127.0.0.1/32,2001:db8:1::/48")
ANY_TEXT = st.lists(st.text(st.characters(codec="latin-1"), max_size=60), max_size=4)
ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # not from a proxy of ours
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", [""], "10.1.1.1"),
        ("10.1.1.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.1.1.1", ["6.6.6.6, 198.51.100.7"], "198.51.100.7"),  # what the client itself sent stands left
        ("10.1.1.1", ["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
        ("10.1.1.1", ["6.6.6.6, 198.51.100.7, 10.2.2.2"], "198.51.100.7"),  # through two proxies of ours
        ("10.1.1.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),  # somebody inside
        ("10.1.1.1", ["198.51.100.7, unknown"], "10.1.1.1"),
        ("10.1.1.1", ["198.51.100.7,"], "10.1.1.1"),
        ("10.1.1.1", ["6.6.6.6, unknown, 10.2.2.2"], "10.2.2.2"),
        ("10.1.1.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.1.1.1", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("10.1.1.1", ["2001:db8::5"], "2001:db8::5"),
        ("10.1.1.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("::ffff:10.1.1.1", ["198.51.100.7"], "198.51.100.7"),
        ("2001:db8:1::9", ["198.51.100.7"], "198.51.100.7"),
        ("fe80::1%eth0", ["198.51.100.7"], "fe80::1"),
        ("", ["198.51.100.7"], "local"),
        ("testclient", ["198.51.100.7"], "testclient"),
    ],
)
def test_only_a_trusted_proxy_says_who_asks_and_only_its_own_entry_counts(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert client_of(peer, forwarded, PROXIES) == client


@given(ADDRESSES, ANY_TEXT)
def test_who_does_not_come_through_a_proxy_cannot_change_address(peer: str, forwarded: list[str]) -> None:
    assert client_of(peer, forwarded, ()) == client_of(peer, [], ())


@given(ANY_TEXT, st.sampled_from(["198.51.100.7", "2001:db8:2::5", "[2001:db8:2::5]:80"]))
def test_nothing_that_a_client_sends_outweighs_what_the_proxy_adds(sent: list[str], added: str) -> None:
    assert client_of("10.1.1.1", [*sent, added], PROXIES) == client_of("10.1.1.1", [added], PROXIES)
    in_one_line = ",".join([*sent, added])
    assert client_of("10.1.1.1", [in_one_line], PROXIES) == client_of("10.1.1.1", [added], PROXIES)


@given(st.sampled_from(["10.1.1.1", "192.0.2.1", "", "x"]), ANY_TEXT)
def test_every_header_gives_some_address(peer: str, forwarded: list[str]) -> None:
    assert client_of(peer, forwarded, PROXIES)
    assert caller_of(client_of(peer, forwarded, PROXIES))


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_network_of_64_bits_is_one_caller(address: object, host: int) -> None:
    first = ip_address(str(address))
    other = ip_address((int(first) >> 64 << 64) + host)
    if first.version == other.version == 6 and first.ipv4_mapped is other.ipv4_mapped is None:
        assert caller_of(str(first)) == caller_of(str(other))


def test_two_networks_and_two_addresses_of_version_4_are_two_callers() -> None:
    assert caller_of("2001:db8::1") != caller_of("2001:db8:0:1::1")
    assert caller_of("192.0.2.1") != caller_of("192.0.2.2")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.0/8;127.0.0.1", "*"])
def test_what_is_no_network_is_refused_at_start(text: str) -> None:
    with pytest.raises(BadSetting, match="YINZHENG_TRUSTED_PROXIES"):
        read_networks(text)


def test_every_header_of_a_request_is_read_in_order() -> None:
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-other", b"1.1.1.1"), (b"x-forwarded-for", b"198.51.100.7")]
    scope = {"type": "http", "headers": headers, "client": ("10.1.1.1", 1)}

    assert client_address(Request(scope), PROXIES) == "198.51.100.7"
    assert client_address(Request({**scope, "client": None}), PROXIES) == "local"
