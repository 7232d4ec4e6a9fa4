"""Leases in SQL, by the store's own clock."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, text, update

from twofold.errors import Taken
from twofold.resource import App
from twofold.store.database import Database
from twofold.store.tables import Tables


class SqlLeases:
    """The leases of a write store in SQLite or MySQL."""

    def __init__(self, app: App, database: Database) -> None:
        self._database = database
        self._table = Tables(app).lease

    def take(self, name: str, holder: str, seconds: float) -> bool:
        lease = self._table
        now, until = text(self._database.dialect.now()), text(self._database.dialect.now(seconds))
        renew = update(lease).where(lease.c.name == name, (lease.c.holder == holder) | (lease.c.expires_at < now))
        try:
            with self._database.write() as connection:
                taken = connection.execute(renew.values(holder=holder, expires_at=until)).rowcount == 1
                if not taken and connection.execute(select(lease.c.name).where(lease.c.name == name)).first() is None:
                    connection.execute(insert(lease).values(name=name, holder=holder, expires_at=until))
                    taken = True
                self._database.commit(connection)
                return taken
        except Taken:  # somebody else took the first lease of this name in the same moment
            return False

    def give_back(self, name: str, holder: str) -> None:
        lease = self._table
        with self._database.write() as connection:
            connection.execute(delete(lease).where(lease.c.name == name, lease.c.holder == holder))
            self._database.commit(connection)
