"""Hosts and origins are read as requests have them, or refused with a sentence."""

import pytest

from serving.hosts import read_host, read_origin


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("a.org", "a.org"),
        ("API.Example.org.", "api.example.org"),
        (".Example.org", ".example.org"),
        ("localhost", "localhost"),
        ("my_service", "my_service"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "::1"),
        ("2001:DB8::0:1", "2001:db8::1"),
    ],
)
def test_host(text, host):
    assert read_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        *("host:8000", "[::1]:8000", "http://a.org", "a.org/", "a.org/x", "me@a.org", "a b"),
        *("*", "*.a.org", "a.*", "..a", ".", "-a", "a..b", "é.org", "a.org?x", "http:", "[a.org]"),
    ],
)
def test_what_is_no_host(text):
    with pytest.raises(ValueError, match=r"^`.*` is no host: "):
        read_host(text)


def test_wildcard_of_others_is_answered_with_ours():
    with pytest.raises(ValueError, match=r"^`\*\.a\.org` is no host: write `\.a\.org` for a host"):
        read_host("*.a.org")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://a.example", "https://a.example"),
        ("http://a.example/", "http://a.example"),
        ("HTTPS://A.Example", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("https://a.example:443/", "https://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("null", "null"),
        ("*", "*"),
    ],
)
def test_origin(text, origin):
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("a.example", "localhost:3000", "//a.example", "https://", "https://a.example/x"),
        *("https://a.example?x", "https://a.example#x", "https://me@a.example", "https://*.a.org"),
        *("https://a.example:x", "https://a.example:99999", "https://[::1", "https://é.example"),
    ],
)
def test_what_is_no_origin(text):
    with pytest.raises(ValueError, match=r"^`.*` is no origin: write scheme, host and port"):
        read_origin(text)
