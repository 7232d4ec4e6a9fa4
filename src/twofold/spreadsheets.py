"""Texts in CSV that a spreadsheet would take for formulas: an apostrophe stands before them, and can be taken away again.

A text that begins with an apostrophe of its own gets one too, so what begins with one is always guarded, and `original` undoes `safe`.
Space and what cannot be seen are passed over where a text begins, as spreadsheets do.
"""

from __future__ import annotations

import re

_UNSEEN = "\\s\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
_GUARDED = re.compile(f"'|[\\t\\r\\n]|[{_UNSEEN}]*[=+\\-@\uff1d\uff0b\uff0d\uff20]")


def safe(text: str) -> str:
    """The text as it stands in a cell."""
    return f"'{text}" if _GUARDED.match(text) else text


def original(text: str) -> str:
    """The text that `safe` was given."""
    return text[1:] if text.startswith("'") and _GUARDED.match(text, 1) else text
