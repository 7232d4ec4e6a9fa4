"""URLs of engines: taken apart once, and judged without a word of what may be a password."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from twofold.errors import SettingsError

ENGINES = {
    "write_url": ("sqlite", "mysql"),
    "log_url": ("sqlite", "kafka"),
    "read_url": ("sqlite", "elasticsearch", "opensearch", "elasticsearch+https", "opensearch+https"),
}
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::([0-9]{1,5}))?")
_FORMS = {
    "sqlite": "sqlite:///data/write.db, or sqlite:////srv/write.db from the root",
    "mysql": "mysql://USER:PASSWORD@HOST:PORT/DATABASE, or that with ?tls=off",
    "kafka": "kafka://HOST:PORT,HOST:PORT",
}


def check_url(name: str, url: str, schemes: tuple[str, ...], *, password: bool) -> None:
    """Raises SettingsError, which quotes nothing of the URL: any part of it may be a password in the wrong place.

    `password`: whether one was given apart from it.
    """
    if scheme(url) not in schemes:
        raise SettingsError(f"{name}: begins with none of {', '.join(f'{each}://' for each in schemes)}")
    if re.search(r"[\x00-\x20\x7f]|%00", url):
        raise SettingsError(f"{name}: has a space or a control character; a space is %20")
    if scheme(url) == "sqlite":
        if not url.removeprefix("sqlite:///") or not url.startswith("sqlite:///") or ":memory:" in url:
            raise SettingsError(f"{name}: names no file; write {_FORMS['sqlite']}")
        return
    user = url.partition("://")[2].rpartition("@")[0]
    if re.search(r"[/?#@\[\]]", user):
        raise SettingsError(f"{name}: percent-encode user and password: / is %2F there, # %23, ? %3F, @ %40, [ %5B and ] %5D")
    try:
        parts = urlsplit(url)
    except ValueError:  # whose words quote it
        raise SettingsError(f"{name}: what stands for host and port is not HOST:PORT") from None
    _check_parts(name, parts, password=password)


def _check_parts(name: str, parts: SplitResult, *, password: bool) -> None:
    engine, user, hosts = parts.scheme, parts.netloc.rpartition("@")[0], parts.netloc.rpartition("@")[2].split(",")
    form = _FORMS.get(engine, f"{engine}://USER:PASSWORD@HOST:PORT,HOST:PORT")
    if engine == "kafka" and "@" in parts.netloc:
        raise SettingsError(f"{name}: takes neither user nor password, connections to Kafka are plain; write {form}")
    if engine == "mysql" and not re.fullmatch(r"/[A-Za-z0-9_$-]+", parts.path):
        raise SettingsError(f"{name}: names no database; write {form}")
    if not all(_is_address(host) for host in hosts) or (engine == "mysql" and len(hosts) > 1):
        raise SettingsError(f"{name}: what stands for host and port is not HOST:PORT; write {form}")
    if engine not in ("mysql", "kafka") and user and ":" not in user and not password:
        raise SettingsError(f"{name}: has a user without a password; tokens are not taken, write {form}")
    if parts.fragment or (engine != "mysql" and (parts.path not in ("", "/") or parts.query)) or parts.query not in ("", "tls=off"):
        raise SettingsError(f"{name}: has more than it may have behind the address; write {form}")


def with_password(name: str, url: str, password: str) -> str:
    """The URL with a password that was given apart from it. Raises SettingsError where there is no place for it."""
    variable = f"TWOFOLD_{name.upper()}"
    about = f"{variable.replace('_URL', '_PASSWORD')} is set, but {variable}"
    parts = urlsplit(url)
    if not parts.username:
        raise SettingsError(f"{about} names no user: write {parts.scheme}://USER@HOST:PORT")
    if parts.password is not None and unquote(parts.password) != password:
        raise SettingsError(f"{about} has another password: leave it out there")
    user, host = parts.netloc.rpartition("@")[0].partition(":")[0], parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def authority(host: str, port: int) -> str:
    """Host and port as a URL has them: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def scheme(url: str) -> str:
    return url.partition("://")[0]


def file_of(url: str) -> Path:
    """The file that a URL of SQLite names."""
    return Path(unquote(url.removeprefix("sqlite:///")))


def without_password(url: str) -> str:
    """A URL that may be shown: without what stands before the last @, but for a user that has a password."""
    before, _, rest = url.partition("://")
    user, at, address = rest.rpartition("@")
    shown = f"{user.partition(':')[0]}:***" if re.match("[^/?#@]*:", user) else "***"
    return f"{before}://{shown}@{address}" if at else url


def _is_address(host: str) -> bool:
    found = _HOST.fullmatch(host)
    return found is not None and (found[2] is None or 0 < int(found[2]) < 1 << 16)
