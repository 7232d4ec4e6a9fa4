"""A line of CSV that does not fit is rejected with its reason, and the import goes on."""

from __future__ import annotations

import io

import pytest

from twofold.runtime.strictjson import NotJson
from twofold.tools.loading import comma_separated
from twofold.users import User

GOOD = "Bo,bo@example.com,correct horse"


@pytest.mark.parametrize("bad", ["a,b,c,d", 'Ann "Bob" C,"x"y,z', "M\udcfcller,m@example.com,correct horse"])
def test_a_bad_line_is_told_and_the_next_one_is_read(bad: str) -> None:
    stream = io.StringIO(f"name,email,password\n{bad}\n{GOOD}\n")
    lines = list(comma_separated(stream, User.declaration))
    assert isinstance(lines[0][2], NotJson)
    assert lines[-1][2] == {"name": "Bo", "email": "bo@example.com", "password": "correct horse"}
