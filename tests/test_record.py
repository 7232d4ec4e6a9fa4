"""A record is a CloudEvents message in Kafka's binary mode, and everything that is not one of ours is unreadable."""

# ruff: noqa: PT017 - not every input is refused

from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.log.port import Message
from twofold.record import Record, Unreadable, encoded, identity

KEY = "01890a5d-ac96-774b-bcce-b302099a8057"
RECORD = Record(
    key=KEY,
    version=7,
    type="users.updated",
    event_id="01890a5d-ac96-774b-bcce-b302099a8058",
    time="2026-01-31T12:00:00.000Z",
    value=b'{"name":"\xc3\x84nne"}',
    args='{"reason":"m\u00f6ved"}',
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
NAMES = st.sampled_from(["users.created", "users.updated", "blog-posts.closed", "a.b", "s3-files.re_opened"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def test_what_is_encoded_takes_no_more_memory_than_it_is_long() -> None:
    tracemalloc.start()
    kept = [encoded({"number": number}) for number in range(1000)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept[7] == b'{"number":7}'
    assert size < 200 * len(kept)


def test_headers_are_those_of_the_binding() -> None:
    message = RECORD.to_message()
    assert (message.key, message.value) == (KEY.encode(), RECORD.value)
    assert dict(message.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": RECORD.event_id.encode(),
        "ce_source": b"/users",
        "ce_type": b"users.updated",
        "ce_subject": KEY.encode(),
        "ce_time": b"2026-01-31T12:00:00.000Z",
        "ce_sequence": b"7",
        "content-type": b"application/json",
        "ce_args": '{"reason":"möved"}'.encode(),
        "traceparent": (RECORD.traceparent or "").encode(),
    }


def test_what_a_record_has_not_is_no_header() -> None:
    headers = dict(replace(RECORD, args=None, traceparent=None).to_message().headers)
    assert headers.keys().isdisjoint({"ce_args", "traceparent"})


@given(
    st.builds(
        replace, st.just(RECORD), version=st.integers(1, 10**18 - 1), type=NAMES, value=st.binary(), args=st.none() | TEXTS, time=TEXTS
    )
)
def test_a_record_survives_the_log(record: Record) -> None:
    assert Record.from_message(record.to_message()) == record


def test_a_delete_survives_the_log() -> None:
    record = replace(RECORD, type="users.deleted", value=None)
    assert record.deleted
    assert Record.from_message(record.to_message()) == record


def test_headers_of_others_are_passed_over() -> None:
    message = RECORD.to_message()
    assert Record.from_message(replace(message, headers=(*message.headers, ("theirs", b"x"), ("empty", None)))) == RECORD


def changed(name: str, value: bytes | None) -> Message:
    message = RECORD.to_message()
    return replace(message, headers=tuple((each, value if each == name else held) for each, held in message.headers))


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_type", "ce_time", "ce_sequence"])
def test_a_missing_header_is_named(name: str) -> None:
    without = replace(RECORD.to_message(), headers=tuple(each for each in RECORD.to_message().headers if each[0] != name))
    for message in (without, changed(name, None)):
        with pytest.raises(Unreadable, match=f"header {name} is missing"):
            Record.from_message(message)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Message(None, None), "header ce_specversion is missing"),
        (Message(b"users", b'{"name":"Ana","email":"ana@example.com"}'), "not a CloudEvents record in binary mode"),
        (replace(RECORD.to_message(), key=b"\xff"), "not UTF-8"),
        (changed("ce_type", b"\xff"), "not UTF-8"),
        (changed("ce_specversion", b"0.3"), "ce_specversion is not 1.0"),
        *(
            (replace(RECORD.to_message(), key=key), "not the id")
            for key in (None, b"", b"7", KEY.upper().encode(), f"{KEY}\n".encode(), KEY.encode() * 2)
        ),
        *(
            (changed("ce_sequence", number), "not a version")
            for number in (b"0", b"-1", b"01", b"1.0", b"", b"1\n", b"9" * 19, "٣".encode(), b"one")
        ),
        (replace(RECORD.to_message(), value=None), "a null value goes with"),
        (changed("ce_type", b"users.deleted"), "and only with it"),
    ],
)
def test_what_is_not_ours_is_unreadable_and_says_why(message: Message, words: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(words)):
        Record.from_message(message)


HEADERS = st.lists(st.tuples(st.sampled_from([name for name, _ in RECORD.to_message().headers]), st.none() | st.binary()))


@given(st.none() | st.binary(), st.none() | st.binary(), HEADERS)
def test_a_strangers_message_raises_nothing_else(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
    ours = RECORD.to_message()
    for message in (Message(key, value, tuple(headers)), replace(ours, value=value, headers=(*ours.headers, *headers))):
        try:
            assert isinstance(Record.from_message(message), Record)
        except Unreadable as reason:
            assert str(reason)


def test_id_and_version_are_known_whatever_the_value_is() -> None:
    spoiled = replace(RECORD.to_message(), value=b"{", headers=(("ce_sequence", b"7"), ("ce_id", b"\xff")))
    assert identity(spoiled) == identity(RECORD.to_message()) == (KEY, 7)


@pytest.mark.parametrize("sequence", [None, b"", b"0", b"07", b"-1", b"1.0", b"9" * 19, "\u0667".encode(), b"\xff", b"7\n"])
def test_what_is_no_version_is_no_identity(sequence: bytes | None) -> None:
    assert identity(Message(KEY.encode(), None, (("ce_sequence", sequence),))) is None


@pytest.mark.parametrize("key", [None, b"", b"ana", b"\xff", KEY.upper().encode(), KEY.encode() + b"\n"])
def test_what_is_no_id_is_no_identity(key: bytes | None) -> None:
    assert identity(Message(key, None, (("ce_sequence", b"7"),))) is None
