"""The package index that setup downloads from: which one it is, and how a file on it is fetched."""

# Imports of slow modules are inside functions, for the reason tools/bootstrap.py gives.

from __future__ import annotations

import os
from pathlib import Path

TYPE_CHECKING = False  # checkers take it as true; importing `typing` for it would cost time
if TYPE_CHECKING:
    import ssl

PYPI = "https://pypi.org/simple/"
TIMEOUT_S = 60
ATTEMPTS_MAX = 3


class PackageIndexError(Exception):
    """A file cannot be had from the index; the message is one sentence that says what to do."""


def index_url() -> str:
    """Return the package index to use, with a trailing slash."""
    chosen = next(
        (
            os.environ[name]
            for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
            if os.environ.get(name)
        ),
        None,
    )
    url = chosen or _pip_configured_index() or PYPI
    name, separator, rest = url.partition("=")
    if separator and rest.startswith(("http://", "https://", "file://")) and "/" not in name:
        url = rest  # UV_DEFAULT_INDEX may be written as name=url
    return url.rstrip("/") + "/"


def _pip_configured_index() -> str | None:
    import configparser

    home = Path(os.environ.get("HOME", "/nonexistent"))
    found = None
    for path in (
        Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf",
        Path(os.environ.get("PIP_CONFIG_FILE", "/nonexistent")),
    ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
            found = parser.get("global", "index-url", fallback=found)
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue  # pip itself would report its own broken file; PyPI is a fair answer
    return found


def find_link(page: bytes, content_type: str, base: str, filename: str) -> str | None:
    """Find the address of ``filename`` on a simple-index page, JSON (PEP 691) or HTML (PEP 503)."""
    from html.parser import HTMLParser
    from urllib.parse import unquote, urldefrag, urljoin, urlsplit

    links: list[str] = []
    if "json" in content_type:
        import json

        links = [str(entry.get("url", "")) for entry in json.loads(page).get("files", [])]
    else:

        class Anchors(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                if tag == "a":
                    links.extend(value for name, value in attrs if name == "href" and value)

        Anchors().feed(page.decode("utf-8", "replace"))
    for link in links:
        address = urldefrag(urljoin(base, link)).url
        if unquote(urlsplit(address).path).rsplit("/", 1)[-1] == filename:
            return address
    return None


def fetch(url: str, accept: str = "*/*") -> tuple[bytes, str, str]:
    """Return body, content type and final address of ``url``; retries what may be temporary."""
    import base64
    import http.client
    import time
    import urllib.error
    import urllib.request
    from urllib.parse import unquote, urlsplit, urlunsplit

    parts = urlsplit(url)
    headers = {"Accept": accept, "User-Agent": "argos-bootstrap"}
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    shown = urlunsplit(parts)  # never print a password
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            request = urllib.request.Request(shown, headers=headers)
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=_tls()) as answer:
                return answer.read(), answer.headers.get("Content-Type", ""), answer.geturl()
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise PackageIndexError(
                    f"{shown} answered {error.code}; check the index address"
                ) from error
            reason = f"it answered {error.code}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        if attempt < ATTEMPTS_MAX:
            print(f"setup: {shown} failed ({reason}), trying again", flush=True)
            time.sleep(attempt)
    raise PackageIndexError(
        f"cannot reach {shown} ({reason}); check the network, HTTPS_PROXY, SSL_CERT_FILE or"
        " UV_DEFAULT_INDEX"
    )


def certificates() -> str | None:
    """Return the file of extra certificates the environment names, if any."""
    return os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT")


def _tls() -> ssl.SSLContext:
    import ssl

    path = certificates()
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise PackageIndexError(f"the certificate file {path} cannot be read: {error}") from error
