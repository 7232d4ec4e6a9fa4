"""Texts that each engine cuts into words in its own way: what they do is told in docs/text.md, and none of it is an error."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from tests.parity import table
from tests.parity.conftest import ENGINES
from tests.parity.stores import opened
from tests.parity.strategies import generated
from twofold.index.port import Verdict
from twofold.query.language import parse

TEXTS = 200
BATCH = 50
FORMS = ("{}", '"{}', "a -{}", "{}* | b")  # of q


@pytest.mark.parametrize("engine", ENGINES)
def test_the_document_tells_what_the_engine_finds(engine: str) -> None:
    place = table.ENGINES.index(engine)
    found = table.found(engine, table.ROWS)
    told = [line.split(" | ")[2 + place].strip(" |") for line in table.told()]
    rows = zip(table.ROWS, map(table.cell, found), told, strict=True)
    wrong = [f"{text!r}, q={q!r}: {does}, told is {cell}" for (text, q), does, cell in rows if does != cell]
    assert not wrong, "\n".join([*wrong, "If that is as it should be: python -m tests.parity.table"])


def test_the_document_has_the_rows_of_the_table() -> None:
    told = [line.split(" | ")[:2] for line in table.told()]
    assert told == [table.row(text, q, [True] * 3).split(" | ")[:2] for text, q in table.ROWS]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_text_is_an_error(engine: str) -> None:
    """Whatever is written, or read: each text is a document, and asked for in each way."""
    texts = generated(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), TEXTS) + [text for text, _ in table.ROWS]
    texts = [text for text in texts if "\0" not in text]
    resource = replace(table.Note.declaration, index=f"notes-{uuid.uuid4().hex[:8]}")
    asked = [parse(resource, [("q", form.format(text)), ("fuzzy", fuzzy)]) for text in texts for form in FORMS for fuzzy in ("off", "2")]
    with opened(engine, resource) as store:
        outcomes = store.apply(resource, [table.operation(f"{number:04}", text) for number, text in enumerate(texts)])
        store.refresh(resource)
        pages = [page for start in range(0, len(asked), BATCH) for page in store.search(resource, asked[start : start + BATCH])]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.OK}
    assert len(pages) == len(asked)


