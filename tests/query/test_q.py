"""Any `q` has a meaning: words, phrases, alternatives, beginnings, exclusions; never an error of syntax."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.query.films import asked, errors

from twofold.index.search import Sort, Term
from twofold.query.words import FUZZY, MAX_QUERY, MAX_TERMS, TooMany, read


def shown(q: str, fuzzy: str = "off") -> str:
    """Groups with commas, alternatives with a bar; a minus where excluded, a star where a beginning, ~1 where it may have a typo."""
    return ", ".join(" | ".join(_term(term) for term in group) for group in read(q, fuzzy))  # type: ignore[arg-type]


def _term(term: Term) -> str:
    return f"{'-' * term.excluded}{term.text}{'*' * term.prefix}{f'~{term.typos}' if term.typos else ''}"


@pytest.mark.parametrize(
    ("q", "meaning"),
    [
        ("ana", "ana*"),
        ("ana gar", "ana, gar*"),
        ("ana garcía ", "ana, garcía"),
        ("  ana   gar", "ana, gar*"),
        ("ana\tgar\n", "ana, gar"),
        ("a\0b", "a, b*"),
        ("日本 語", "日本, 語*"),
        ("😀", "😀*"),
        ("", ""),
        (" ", ""),
        ("anna-marie", "anna-marie*"),
        ("o'neil ana@example.com ", "o'neil, ana@example.com"),
        ("a:b AND NEAR(c) ", "a:b, AND, NEAR(c)"),
    ],
)
def test_words_all_occur_and_the_last_may_be_unfinished(q: str, meaning: str) -> None:
    assert shown(q) == meaning


@pytest.mark.parametrize(
    ("q", "meaning"),
    [
        ('"ana garcía"', "ana garcía"),
        ('"ana garcía" ek', "ana garcía, ek*"),
        ('ek "ana', "ek, ana"),
        ('"ana"ek', "ana, ek*"),
        ('"a | -b*"', "a | -b*"),
        ('" ana "', "ana"),
        ('12" pipe', '12", pipe*'),
        ('a"b c"', 'a"b, c"*'),
    ],
)
def test_a_phrase_is_literal_and_finished(q: str, meaning: str) -> None:
    assert shown(q) == meaning
    assert not any(term.prefix for group in read(q) for term in group if " " in term.text)


@pytest.mark.parametrize(
    ("q", "meaning"),
    [
        ("a b | c", "a, b | c*"),
        ("a | b c", "a | b, c*"),
        ("a|b", "a | b*"),
        ("a | b | c d ", "a | b | c, d"),
        ('"a b" | -c', "a b | -c"),
        ("| a", "a*"),
        ("a || b", "a | b*"),
        ("a | & b", "a, b*"),
    ],
)
def test_a_bar_binds_its_neighbours_tighter(q: str, meaning: str) -> None:
    assert shown(q) == meaning


@pytest.mark.parametrize(
    ("q", "meaning"),
    [
        ("-ana", "-ana"),
        ("bo -ana", "bo, -ana"),
        ("--ana", "-ana"),
        ('-"ana ek" bo', "-ana ek, bo*"),
        ("-an* bo ", "-an*, bo"),
        ("pre* bo ", "pre*, bo"),
        ("pre** ", "pre*"),
        ("a*b ", "a*b"),
        ("ana -", "ana"),
    ],
)
def test_words_are_excluded_and_beginnings(q: str, meaning: str) -> None:
    assert shown(q) == meaning


@pytest.mark.parametrize("q", ["|", "-", "*", '""', "-*", "- | *", "--", '" "', "|||"])
def test_lone_marks_are_ignored(q: str) -> None:
    assert shown(q) == ""
    assert shown(f"{q} ana ") == "ana"
    assert shown(f"ana {q}") == "ana"


def test_a_quote_without_another_closes_at_the_end() -> None:
    assert [shown(q) for q in ('"', '-"', 'ana "', '" ana', 'bo -"ana ek ')] == ["", "", "ana", "ana", "bo, -ana ek"]


@pytest.mark.parametrize(
    ("q", "meaning"), [("& ana", "ana*"), ("ana , ", "ana"), ("ana ,", "ana"), ("&", "&*"), ("& ", "&"), ("-&", "-&"), ("€", "€*")]
)
def test_punctuation_is_passed_over_unless_there_is_nothing_else(q: str, meaning: str) -> None:
    assert shown(q) == meaning


@pytest.mark.parametrize(
    ("fuzzy", "q", "meaning"),
    [
        ("auto", "four fives eightlet ninelette ", "four, fives~1, eightlet~1, ninelette~2"),
        ("1", "ab abc ninelette ", "ab, abc~1, ninelette~1"),
        ("2", "ab abc ", "ab, abc~2"),
        ("off", "ninelette ", "ninelette"),
        ("auto", "münchen", "münchen*~1"),
        ("auto", "route66 ana@example.com o'neill ", "route66, ana@example.com, o'neill"),
        ("auto", '"phrase" -excluded beginning* ', "phrase, -excluded, beginning*"),
        ("auto", "cafe\u0301s ", "cafe\u0301s~1"),
        ("auto", "smith | jones ", "smith~1 | jones~1"),
    ],
)
def test_words_of_letters_may_have_typos(fuzzy: str, q: str, meaning: str) -> None:
    assert shown(q, fuzzy) == meaning
    assert asked(q=q, fuzzy=fuzzy).text == read(q, fuzzy)  # type: ignore[arg-type]


def test_the_best_come_first_where_there_are_words() -> None:
    best, newest = (Sort("_score", descending=True),), (Sort("created_at", descending=True),)
    assert [asked(q=q).sort for q in ("ana", " ", "-ana", "a -b")] == [best, newest, newest, best]
    assert asked(q="ana", sort="-year").sort == (Sort("year", descending=True),)


def test_length_and_number_are_limited() -> None:
    assert asked(q="x" * MAX_QUERY)
    assert errors(q="x" * (MAX_QUERY + 1)) == [{"parameter": "q", "detail": "At most 256 characters."}]
    assert asked(q=" ".join(["x"] * MAX_TERMS))
    assert errors(q="|".join(["x"] * (MAX_TERMS + 1))) == [{"parameter": "q", "detail": "At most 16 words."}]
    for fuzzy in ("3", "", "off,1"):
        assert errors(q="anastasia", fuzzy=fuzzy) == [{"parameter": "fuzzy", "detail": "One of: off, auto, 1, 2."}]


@given(st.text(st.sampled_from('ab1 |-"*,&\t😀é\0\ud800'), max_size=40) | st.text(max_size=60), st.sampled_from(FUZZY))
def test_every_text_has_a_meaning(q: str, fuzzy: str) -> None:
    try:
        groups = read(q, fuzzy)  # type: ignore[arg-type]
    except TooMany:
        return
    assert all(groups)
    for term in (term for group in groups for term in group):
        assert term.text.strip() == term.text != ""
        assert not (term.typos and term.excluded)
