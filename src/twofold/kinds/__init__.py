"""The kinds of values that fields have, each in a module of its own. One more is a class and a line here; docs/extending.md says how."""

from twofold.kinds.booleans import Boolean
from twofold.kinds.dates import Date
from twofold.kinds.datetimes import DateTime
from twofold.kinds.decimals import Decimal
from twofold.kinds.durations import Duration
from twofold.kinds.floats import Float
from twofold.kinds.integers import Integer
from twofold.kinds.kind import Form, Kind, NotAValue
from twofold.kinds.strings import String
from twofold.kinds.uuids import Uuid

__all__ = ["BY_CORE", "BY_TYPE", "KINDS", "Form", "Kind", "NotAValue"]
_ALL: tuple[Kind, ...] = (
    String(),
    Integer(),
    Float(),
    Boolean(),
    Date(),
    DateTime(),
    Decimal(),
    Uuid(),
    Duration(),
)
KINDS = {kind.name: kind for kind in _ALL}
BY_TYPE = {type_: kind for kind in _ALL for type_ in kind.types}
BY_CORE = {kind.core: kind for kind in _ALL if kind.core}  # by the type of Pydantic's schema
