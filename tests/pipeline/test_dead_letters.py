"""What can never be indexed goes to the dead letters with its reason, and the stream goes on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import uuid_utils

from tests.pipeline.steps import Pipeline
from twofold.cli_letters import _line
from twofold.errors import NeedsRebuild, Rejected
from twofold.log.port import Message, Position
from twofold.record import Record
from twofold.tools import letters as tools
from twofold.tools.letters import Letters
from twofold.tools.status import status

ID = "01890000-0000-7000-8000-000000000001"
TIME = "2026-01-02T03:04:05.678Z"


def record(value: bytes | None, *, type_: str = "updated", key: str = ID, version: int = 1, resource: str = "") -> Message:
    return Record(key, version, f"{resource}.{type_}", str(uuid_utils.uuid7()), TIME, value).to_message()


def body(**members: object) -> bytes:
    whole = {"id": ID, "version": 1, "name": "Ana", "email": "ana@example.com", "note": None, "created_at": TIME, "updated_at": TIME}
    return orjson.dumps({**whole, **members})


def without(name: str) -> bytes:
    return orjson.dumps({key: value for key, value in orjson.loads(body()).items() if key != name})


def noted(pipeline: Pipeline, version: int) -> Message:
    return record(body(version=version, note=f"note {version}"), version=version, resource=pipeline.resource.name)


def strangers(resource: str) -> dict[str, Message]:
    """Messages that are not ours, by the reason that is expected."""
    return {
        "ce_specversion is missing": Message(b"x", b'{"name": "from the seed"}'),
        "not UTF-8": Message(b"\xff\xfe", b"{}", (("ce_id", b"\xff"),)),
        "the value is not JSON": record(b"\xff\xfe not json", resource=resource),
        "the value is not an object": record(b"[]", resource=resource),
        "a null value goes with": record(None, resource=resource),
        "the field 'age' is not declared": record(body(age=3), resource=resource),
        "the field name does not hold string": record(body(name=["Ana"]), resource=resource),
        "the field email is missing": record(without("email"), resource=resource),
        "id and version in the value": record(body(version=2), resource=resource),
        "is not of": record(body(), resource="others"),
    }


def test_foreign_messages_are_dead_letters_and_the_stream_goes_on(pipeline: Pipeline) -> None:
    expected = strangers(pipeline.resource.name)
    published = pipeline.system.log.publish(pipeline.resource.topic, list(expected.values()))
    assert published == [None] * len(expected)
    pipeline.write()
    pipeline.relay()
    pipeline.project()

    letters = pipeline.dead_letters()

    assert pipeline.found() == pipeline.expected()
    assert len(letters) == len(expected)
    reasons = sorted(dict(letter.headers)["dlq_reason"].decode() for letter in letters)
    assert all(any(part in reason for reason in reasons) for part in expected), reasons
    assert {letter.value for letter in letters} == {message.value for message in expected.values()}


def test_a_document_that_the_index_refuses_is_a_dead_letter(pipeline: Pipeline) -> None:
    """Of the right kind for us, but not for the index: only its answer tells."""
    bad = record(body(created_at="the day before"), resource=pipeline.resource.name)
    pipeline.system.log.publish(pipeline.resource.topic, [bad])
    pipeline.write()
    pipeline.relay()
    pipeline.project()

    [letter] = pipeline.dead_letters()

    assert letter.value == bad.value
    assert letter.key == bad.key
    headers = dict(letter.headers)
    assert headers["dlq_topic"] == pipeline.resource.topic.encode()
    assert headers["ce_sequence"] == b"1"
    assert b"the day before" not in headers["dlq_reason"]
    assert pipeline.found() == pipeline.expected()


def test_where_the_newest_version_is_refused_an_older_one_of_the_same_poll_is_searchable(pipeline: Pipeline) -> None:
    resource, system = pipeline.resource, pipeline.system
    good = noted(pipeline, 1)
    bad = [record(body(version=version, created_at="the day before"), version=version, resource=resource.name) for version in (2, 3)]
    system.log.publish(resource.topic, [good, *bad])
    pipeline.project()

    assert pipeline.found() == {ID: (1, "note 1")}
    assert [dict(letter.headers)["ce_sequence"] for letter in pipeline.dead_letters()] == [b"2", b"3"]
    assert system.index.refused(resource, [ID]) == {ID: 3}

    system.log.publish(resource.topic, [good, bad[0]])  # delivered again
    pipeline.project()
    assert (pipeline.found(), system.index.refused(resource, [ID])) == ({ID: (1, "note 1")}, {ID: 3})
    system.log.publish(resource.topic, [noted(pipeline, 4)])
    pipeline.project()
    assert pipeline.found() == {ID: (4, "note 4")}


def test_of_letters_that_are_retried_an_older_one_is_applied_where_the_newest_is_refused_still(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pipeline.resource
    bad = record(body(version=3, created_at="the day before"), version=3, resource=resource.name)
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        pipeline.system.log.publish(resource.topic, [noted(pipeline, 1), noted(pipeline, 2), bad, bad])
        pipeline.project()
    letters = Letters(pipeline.system, resource)
    assert pipeline.found() == {}

    told = [(letter.row["version"], bool(reason)) for letter, reason in letters.retry(letters.open())]

    assert told == [("1", False), ("2", False), ("3", True), ("3", True)]
    assert pipeline.found() == {ID: (2, "note 2")}
    assert pipeline.system.index.refused(resource, [ID]) == {ID: 3}
    assert [letter.row["version"] for letter in letters.open()] == ["3", "3"]


def test_nothing_is_committed_while_dead_letters_cannot_be_written(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    from twofold.errors import Unavailable
    from twofold.projector.projector import Projector

    pipeline.system.log.publish(pipeline.resource.topic, [Message(b"x", b"{}")])
    projector = Projector(pipeline.resource, pipeline.system.log, pipeline.system.index)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.system.log, "publish", lambda _, messages: ["away"] * len(messages))
        with pytest.raises(Unavailable):
            while True:
                projector.step()
    projector.close()
    assert any(position.lag for position in pipeline.system.log.positions(pipeline.resource.topic, pipeline.resource.group))
    pipeline.project()
    assert len(pipeline.dead_letters()) == 1


def test_a_letter_is_listed_until_it_is_settled(pipeline: Pipeline) -> None:
    pipeline.system.log.publish(pipeline.resource.topic, list(strangers(pipeline.resource.name).values()))
    pipeline.project()
    letters = Letters(pipeline.system, pipeline.resource)
    listed = [letter.row for letter in letters.open()]
    assert [row["number"] for row in listed] == list(range(10))
    assert {row["topic"] for row in listed} == {pipeline.resource.topic}

    [third] = letters.chosen([3])
    assert letters.discard(iter([third])) == 1

    assert [letter.number for letter in letters.open()] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    for number in (3, 10, 99):  # settled, a note, and one that was never there
        with pytest.raises(Rejected, match=f"no open dead letter {number} "):
            letters.chosen([number])
    assert letters.discard(letters.open()) == 9
    assert list(letters.open()) == []


def test_a_retried_letter_is_applied_if_it_can_be_by_now(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a new version of the code: what was refused then is taken now. What is refused still stays open."""
    first, second = (noted(pipeline, version) for version in (1, 2))
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        pipeline.system.log.publish(pipeline.resource.topic, [first, second, Message(b"x", b"{}")])
        pipeline.project()
    letters = Letters(pipeline.system, pipeline.resource)
    assert pipeline.found() == {}

    told = [(letter.number, bool(reason)) for letter, reason in letters.retry(letters.open())]

    assert told == [(0, False), (1, False), (2, True)]
    assert pipeline.found() == {ID: (2, "note 2")}
    assert [letter.number for letter in letters.open()] == [2]


def test_a_retry_is_harmless_when_the_index_has_moved_on(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted = "01890000-0000-7000-8000-000000000002"
    old = [noted(pipeline, 1), record(body(id=deleted), key=deleted, resource=pipeline.resource.name)]
    new = noted(pipeline, 2)
    gone = record(None, type_="deleted", key=deleted, version=2, resource=pipeline.resource.name)
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        pipeline.system.log.publish(pipeline.resource.topic, old)
        pipeline.project()
    pipeline.system.log.publish(pipeline.resource.topic, [new, gone])
    pipeline.project()
    letters = Letters(pipeline.system, pipeline.resource)

    assert [reason for _, reason in letters.retry(letters.open())] == ["", ""]

    assert pipeline.found() == {ID: (2, "note 2")}
    assert list(letters.open()) == []


def test_a_letter_without_its_message_is_retried_from_the_topic(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that was too large for the topic of the dead letters stays where it stood."""
    good = noted(pipeline, 1)
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        patch.setattr("twofold.letters.LARGE", 0)
        publish, tries = pipeline.system.log.publish, iter([["too large"]])
        patch.setattr(pipeline.system.log, "publish", lambda topic, messages: next(tries, None) or publish(topic, messages))
        publish(pipeline.resource.topic, [good])
        pipeline.project()
    letters = Letters(pipeline.system, pipeline.resource)
    [letter] = letters.open()
    assert letter.message.value is None

    assert [reason for _, reason in letters.retry(letters.open())] == [""]
    assert pipeline.found() == {ID: (1, "note 1")}


def test_what_comes_in_other_partitions_is_not_taken_for_the_message_of_a_letter(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, resource = pipeline.system.log, pipeline.resource
    log.publish(resource.topic, [noted(pipeline, 1)])
    [place] = [each.partition for each in log.positions(resource.topic, resource.group) if each.end]
    log.publish(resource.dead_letters, [Message(None, None, (("dlq_partition", b"%d" % place), ("dlq_offset", b"0"), ("dlq_size", b"1")))])
    positions = log.positions

    def meanwhile(*given: str) -> list[Position]:
        found = positions(*given)
        others = [Message(b"other %d" % number, b"{}") for number in range(20)]
        assert log.publish(resource.topic, others) == [None] * 20
        return found

    letters = Letters(pipeline.system, resource)
    [letter] = letters.open()
    monkeypatch.setattr(log, "positions", meanwhile)
    assert [reason for _, reason in letters.retry(iter([letter]))] == [""]
    assert pipeline.found() == {ID: (1, "note 1")}


def test_many_letters_are_settled_in_order_across_groups(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "BATCH", 2)
    messages = [noted(pipeline, version) for version in range(1, 8)]
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        pipeline.system.log.publish(pipeline.resource.topic, messages)
        pipeline.project()
    letters = Letters(pipeline.system, pipeline.resource)

    assert [letter.number for letter, reason in letters.retry(letters.open()) if not reason] == list(range(7))
    assert pipeline.found() == {ID: (7, "note 7")}


def test_a_letter_whose_message_is_gone_does_not_keep_the_others_from_being_retried(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does one whose headers somebody has made up."""
    log, resource = pipeline.system.log, pipeline.resource
    gone = [{"partition": b"0", "offset": b"0"}, {"partition": b"x", "offset": b"0"}, {"partition": b"77", "offset": b"0"}, {}]
    places = [tuple((f"dlq_{name}", value) for name, value in place.items()) for place in gone]
    log.publish(resource.dead_letters, [Message(None, None, (*place, ("dlq_size", b"1"))) for place in places])
    log.publish(resource.dead_letters, [Message(None, b"x", (("dlq_settled", b"no, numbers"),)), noted(pipeline, 1)])
    log.publish(resource.topic, [Message(b"%d" % number, b"{}") for number in range(20)])
    read = Letters._read

    def trimmed(self: Letters, topic: str, *where: Any) -> Any:
        if topic == resource.topic:
            raise NeedsRebuild("message 0 is no longer there")
        return read(self, topic, *where)

    monkeypatch.setattr(Letters, "_read", trimmed)
    letters = Letters(pipeline.system, resource)

    told = {letter.number: reason for letter, reason in letters.retry(letters.open())}

    assert f"twofold verify {resource.name} --repair" in told[0]
    assert all("headers name no place" in told[number] for number in (1, 2, 3))
    assert told[5] == ""
    assert pipeline.found() == {ID: (1, "note 1")}
    assert [letter.number for letter in letters.open()] == [0, 1, 2, 3, 4]


def test_status_counts_the_letters_that_are_open(pipeline: Pipeline) -> None:
    def told() -> int:
        count: int = status(pipeline.system)["resources"][pipeline.resource.name]["dead_letters"]["open"]
        return count

    assert told() == 0
    pipeline.system.log.publish(pipeline.resource.topic, [Message(b"%d" % number, b"{}") for number in range(5)])
    pipeline.project()
    assert told() == 5
    letters = Letters(pipeline.system, pipeline.resource)
    letters.discard(iter(letters.chosen([0, 3])))
    assert told() == 3
    letters.discard(letters.open())
    assert told() == 0


def test_what_is_settled_is_refused_no_more(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else verify would go on telling of dead letters that nobody finds, and notes would be kept for ever."""
    resource, index = pipeline.resource, pipeline.system.index
    other = "01890000-0000-7000-8000-000000000002"
    discarded = record(body(id=other, note="x"), key=other, resource=resource.name)
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        pipeline.system.log.publish(resource.topic, [noted(pipeline, 1), noted(pipeline, 2), discarded])
        pipeline.project()
    letters = Letters(pipeline.system, resource)
    found = {(letter.row["key"], letter.row["version"]): letter for letter in letters.open()}
    assert index.refused(resource, [ID, other]) == {ID: 2, other: 1}

    list(letters.retry(iter([found[ID, "1"]])))
    assert index.refused(resource, [ID, other]) == {ID: 2, other: 1}
    list(letters.retry(iter([found[ID, "2"]])))
    assert index.refused(resource, [ID, other]) == {other: 1}
    letters.discard(iter([found[other, "1"]]))
    assert index.refused(resource, [ID, other]) == {}


def test_an_id_is_refused_for_as_long_as_a_letter_of_it_is_open(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try of the projector that was repeated leaves two letters of one version."""
    resource, index = pipeline.resource, pipeline.system.index
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        for version in (2, 2, 1, 1):
            pipeline.system.log.publish(resource.topic, [noted(pipeline, version)])
            pipeline.project()
    letters = Letters(pipeline.system, resource)
    assert [letter.row["version"] for letter in letters.open()] == ["2", "2", "1", "1"]

    letters.discard(iter(letters.chosen([0])))
    assert index.refused(resource, [ID]) == {ID: 2}
    list(letters.retry(iter(letters.chosen([2]))))
    assert index.refused(resource, [ID]) == {ID: 2}
    letters.discard(iter(letters.chosen([1])))
    assert index.refused(resource, [ID]) == {ID: 2}, "the letter of version 1 is open, and a note is of the highest version"
    list(letters.retry(iter(letters.chosen([3]))))
    assert index.refused(resource, [ID]) == {}


def test_all_letters_of_an_id_are_forgiven_across_groups(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "BATCH", 1)
    resource, index = pipeline.resource, pipeline.system.index
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        for version in (1, 2, 1):
            pipeline.system.log.publish(resource.topic, [noted(pipeline, version)])
            pipeline.project()
    letters = Letters(pipeline.system, resource)
    assert letters.discard(letters.open()) == 3
    assert index.refused(resource, [ID]) == {}


def test_a_large_letter_tells_whose_version_it_is_so_that_it_can_be_forgiven(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    resource, index = pipeline.resource, pipeline.system.index
    with monkeypatch.context() as patch:
        patch.setattr("twofold.documents.fits", lambda field, _: field.name != "note")
        patch.setattr("twofold.letters.LARGE", 0)
        publish, tries = pipeline.system.log.publish, iter([["too large"]])
        patch.setattr(pipeline.system.log, "publish", lambda topic, messages: next(tries, None) or publish(topic, messages))
        publish(resource.topic, [noted(pipeline, 1)])
        pipeline.project()
    letters = Letters(pipeline.system, resource)
    [letter] = letters.open()
    assert (letter.row["key"], letter.row["version"], letter.message.value) == (ID, "1", None)
    assert index.refused(resource, [ID]) == {ID: 1}
    letters.discard(letters.open())
    assert index.refused(resource, [ID]) == {}


def test_a_list_of_letters_is_bounded_whatever_was_written_into_the_topic(pipeline: Pipeline) -> None:
    forged = (("ce_sequence", b"9" * 100_000), ("ce_type", b"x" * 100_000), ("dlq_more", b"y" * 100_000), ("dlq_reason", b"z" * 100_000))
    pipeline.system.log.publish(pipeline.resource.dead_letters, [Message(b"k" * 100_000, None, forged)])
    [letter] = Letters(pipeline.system, pipeline.resource).open()
    assert len(orjson.dumps(letter.row)) < 2000
    assert len(_line(letter)) < 2000
    assert letter.row["version"] == "9" * 200 + "… (100000 characters)"
    assert len(letter.whole["headers"]["ce_sequence"]) == 100_000
