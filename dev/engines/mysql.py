"""MySQL: Debian's package, unpacked and run with the C library that it was built for."""

import os
from pathlib import Path

from . import debian, probe, settings
from .engine import Engine
from .install import atomic_folder, fingerprint, run

Options = dict[str, str | int | Path]

PACKAGES = ("mysql-server-core", "libc6")
# An init file has one statement per line; Debian's server package brings no client to send them.
FIRST_STATEMENTS = """SET sql_log_bin = 0;
ALTER USER root@localhost IDENTIFIED WITH caching_sha2_password BY 'root';
CREATE USER root@'%' IDENTIFIED WITH caching_sha2_password BY 'root';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
CREATE DATABASE `user` CHARACTER SET utf8mb4;
"""
SERVER_OPTIONS: Options = {
    "mysqlx": "OFF",
    "secure-file-priv": "NULL",
    "skip-name-resolve": "ON",
    "character-set-server": "utf8mb4",
    "max-connections": 300,
    "innodb-buffer-pool-size": "256M",
    "innodb-flush-log-at-trx-commit": 1,
    "server-id": 1,
    "log-bin": "binlog",
    "sync-binlog": 1,
    "binlog-expire-logs-seconds": 86400,
}


class MySQL(Engine):
    """The write side."""

    name = "mysql"
    release = f"MySQL from Debian {debian.SUITE}"
    default_port = 3306
    url_variable = "TWOFOLD_WRITE_URL"

    @property
    def url(self) -> str:
        """Return the address with the user, the password and the database."""
        return f"mysql://root:root@{settings.HOST}:{self.port}/user"

    def recipe(self) -> str:
        """Return a digest of the suite and the packages."""
        return fingerprint(debian.SUITE, *PACKAGES)

    def build(self, draft: Path) -> None:
        """Unpack the server and everything it needs."""
        debian.unpack(PACKAGES, draft, self.install_log)

    def prepare(self) -> None:
        """Write my.cnf and, the first time, create the data folder."""
        self.config.mkdir(parents=True, exist_ok=True)
        lines = (f"{key}={value}" for key, value in self._options().items())
        self._options_file.write_text("\n".join(["[mysqld]", *lines]) + "\n")
        if not self.data.exists():
            progress = settings.step(self.name, "creating the data folder")
            with progress, atomic_folder(self.data) as draft:
                self._initialize(draft)

    def command(self) -> list[str]:
        """Return the command that runs the server through its own dynamic linker."""
        linker = next(self.program.glob("usr/lib/*/ld-linux*.so.*"))
        server = self.program / "usr/sbin/mysqld"
        (self.data / "mysql.sock.lock").unlink(missing_ok=True)  # a killed server leaves it, and its pid may be given again
        words = [linker, "--library-path", linker.parent, server]
        return [*map(str, words), f"--defaults-file={self._options_file}"]

    def answers(self) -> bool:
        """Tell whether the port greets as MySQL does, and not as MariaDB."""
        greeting = probe.exchange(self.port)
        return greeting[3:5] == b"\x00\x0a" and b"MariaDB" not in greeting

    @property
    def _options_file(self) -> Path:
        return self.config / "my.cnf"

    def _initialize(self, draft: Path) -> None:
        statements = self.config / "first.sql"
        statements.write_text(FIRST_STATEMENTS)
        options = [f"--datadir={draft}", "--initialize-insecure", f"--init-file={statements}"]
        run([*self.command(), *options], self.install_log)

    def _options(self) -> Options:
        user: Options = {"user": "root"} if os.geteuid() == 0 else {}
        network: Options = {"bind-address": settings.HOST, "port": self.port}
        return {**user, **network, **self._places(), **SERVER_OPTIONS}

    def _places(self) -> Options:
        share = self.program / "usr/share/mysql"
        return {
            "basedir": self.program / "usr",
            "datadir": self.data,
            "plugin-dir": self.program / "usr/lib/mysql/plugin",
            "lc-messages-dir": share,
            "character-sets-dir": share / "charsets",
            "socket": "mysql.sock",
            "pid-file": "mysql.pid",
        }
