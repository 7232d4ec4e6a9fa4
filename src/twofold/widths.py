"""How wide a row and a document may be. MySQL's and Elasticsearch's bounds hold for every app, whichever engine serves it today."""

from __future__ import annotations

from collections.abc import Sequence

from twofold.errors import DeclarationError
from twofold.fields import Field
from twofold.kinds import Form
from twofold.kinds.strings import UNIQUE_BYTES

LONGEST_VARCHAR = 500  # characters; longer strings are LONGTEXT, of which a row holds a pointer
HASH_LENGTH = 255
MOST_ROW = 65_535  # bytes of a row without long texts
MOST_PAGE = 8_126  # of a row of which all that is long lies elsewhere
MOST_COLUMNS = 1017  # of a table, of which a unique field has two
MOST_UNIQUES = 63
MOST_FIELDS = 995  # of an index, beside the five that each has; a text that is a keyword too is two
_OWN_COLUMNS, _OWN_ROW, _OWN_PAGE = 4, 167, 81  # of id, version and times, and what InnoDB adds
_PLAIN: dict[Form, int] = {"integer": 8, "float": 8, "boolean": 1, "date": 3, "datetime": 7}
_KEPT = 41  # of what can lie elsewhere, with its length
_LONG = (12, _KEPT)  # of a long text


def refuse_wide(cls: type, fields: Sequence[Field]) -> None:
    """Raises DeclarationError for a resource whose table MySQL would refuse."""
    widths = [width for field in fields for width in _widths(field)]
    nulls = (sum(field.nullable for field in fields) + 7) // 8
    row = _OWN_ROW + nulls + sum(width for width, _ in widths)
    page = _OWN_PAGE + nulls + sum(kept for _, kept in widths)
    if row > MOST_ROW:
        longest = max(filter(_is_short, fields), key=lambda field: field.max_length, default=fields[0])
        fix = f"leave max_length of the longest away, as of {longest.name}, or make it more than {LONGEST_VARCHAR}"
        raise DeclarationError(f"{cls.__name__}: its columns have {row} bytes in a row, and a row of MySQL has {MOST_ROW}; {fix}")
    if page >= MOST_PAGE or len(widths) + _OWN_COLUMNS > MOST_COLUMNS:
        told = f"its {len(fields)} fields are more than a row of MySQL holds, at most some 190 texts and lists"
        raise DeclarationError(f"{cls.__name__}: {told}; make two resources of it, or lists of some fields")
    if (uniques := len(widths) - len(fields)) > MOST_UNIQUES:
        told = f"it has {uniques} unique fields, and a row of MySQL has keys for {MOST_UNIQUES}"
        raise DeclarationError(f"{cls.__name__}: {told}; take Unique away from some")


def refuse_many(cls: type, fields: Sequence[Field]) -> None:
    """Raises DeclarationError for documents of more fields than an index has."""
    count = sum(2 if field.text and field.keyword else 1 for field in fields if not field.secret)
    if count > MOST_FIELDS:
        told = f"its {count} fields, of which a Text with Keyword is two, are more than an index of Elasticsearch has, {MOST_FIELDS}"
        raise DeclarationError(f"{cls.__name__}: {told}; make lists of some")


def _is_short(field: Field) -> bool:
    """Whether its text is in the row."""
    return field.kind.form == "string" and not field.many and not field.secret and field.max_length <= LONGEST_VARCHAR


def _widths(field: Field) -> list[tuple[int, int]]:
    """Bytes of its columns, in a row and in its page."""
    if field.many or field.kind.form == "string":
        own = _text(4 * (HASH_LENGTH if field.hashed else field.max_length)) if _is_short(field) or field.hashed else _LONG
    else:
        own = (_PLAIN[field.kind.form], _PLAIN[field.kind.form])
    return [own, _text(UNIQUE_BYTES)] if field.unique else [own]


def _text(size: int) -> tuple[int, int]:
    width = size + (1 if size < 256 else 2)
    return width, min(width, _KEPT)
