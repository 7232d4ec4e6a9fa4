"""One module per database system. `DIALECTS` has them by the name that URLs and SQLAlchemy give them."""

from twofold.store.dialects.dialect import Dialect
from twofold.store.dialects.mysql import MySql
from twofold.store.dialects.sqlite import Sqlite

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (Sqlite(), MySql())}
