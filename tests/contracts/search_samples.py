"""What is asked of every engine in `search_contract.py`: hostile text, and searches that do not fit the declaration `Rich`."""

from __future__ import annotations

import math
from typing import Any

from twofold.index.search import And, Begins, Compare, Condition, Dates, Exists, Not, OneOf, Or, Ranges, Stats, Term, Terms

SIGNS = "\"'()[]{}<>*:;-+^~|&!?%_\\/,.=@#$`"
HOSTILE = [
    *SIGNS,
    *(f"{sign}anna" for sign in SIGNS),
    *(f"anna{sign}" for sign in SIGNS),
    *(f"an{sign}na" for sign in SIGNS),
    *(sign * 3 for sign in SIGNS),
    *("AND", "OR", "NOT", "NEAR", "NEAR(", "NEAR(anna bob, 2)", "anna AND", "AND anna", "anna OR bob", "anna NOT bob", "NOT anna", "TO"),
    *('"anna', 'anna"', '"anna" "', '""""', 'anna" OR "bob', 'anna"*', '"*', "title:anna", "f_title:anna", "{title} : anna", "-title:anna"),
    *("* *", "anna*bob", "^anna", "a^2", "a~2", "~1", "[a TO b]", "{a TO b}", "[* TO *]", "a && b", "a || b", "!(a)", "/a.*b/", "/[/"),
    *("\0", "a\0b", "\0anna", "anna\0", "\x01", "\t", "\n", "\r\n", "\x7f", "\x85", "\u00a0", "\u2028", "\u200b", "\ufeff", "\ufffd"),
    *("🎉", "a🎉", "🎉a", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "東京", "東京 都", "ひらがな", "한국어", "ไทย", "العربية", "עברית"),
    *("é", "e\u0301", "\u0301", "\u0301\u0302", "ß", "ẞ", "İ", "\u0131", "ﬁ", "Å", "½", "²", "Ⅷ", "\u0378", "\U000e0001", "\U0010ffff"),
    *("\ue000", "a\ue000b", "\ue000\ue001", "\uf8ff", "null", "None", "true", "0", "-1", "1e9", "NaN", "${a}", "{{a}}", "<b>", "&amp;"),
    *("'; DROP TABLE x; --", "' OR 1=1", "?", "?1", ":a", "@a", "$a", "%s", "{0}", "{row}", "\\u0000", "\\", '\\"', "a\\", "a" * 3000),
    *("a " * 300, "a-" * 300, "(" * 300, '"' * 301, " ", "", "  anna  ", "anna,bob;anna", "don't", "O'Neill", "ana@example.com", "a.b.c"),
]
UNFIT: list[dict[str, Any]] = [
    *({"filter": condition} for condition in (OneOf("title", ("a",)), OneOf("zork", ()), OneOf("amount", ("1",)), OneOf("active", (1,)))),
    *({"filter": condition} for condition in (Compare("amount", "<", None), Compare("ratio", "<", math.nan), Compare("active", "<", True))),
    *({"filter": condition} for condition in (Compare("born", ">", "x"), Compare("price", ">", 1.5), Compare("amount", "=", 1))),  # type: ignore[arg-type]
    *({"filter": condition} for condition in (Begins("amount", "1"), Begins("born", "2026"), Begins("title", "a"))),
    *({"filter": condition} for condition in (Begins("code", "x" * 201), Begins("code", "\ud800"), Exists("title"))),
    *({"filter": condition} for condition in (Compare("code", ">", "x" * 201), Exists("_score"))),
    *({"filter": condition} for condition in (Not(Exists("zork")), Or((Exists("zork"),)))),
    {"filter": And(tuple(Exists("code") for _ in range(300)))},
    {"text": ((Term("\ud800"),),)},
    {"text": ((Term("a", typos=3),),)},
    {"text": tuple((Term("a"),) for _ in range(2000))},
    {"refinements": (("code", ("\udfff",)),)},
    *({"limit": 10_001}, {"limit": -1}, {"offset": -1}, {"offset": 9_990}, {"seconds": 0.0}, {"highlight": ("code",)}),
    *({"highlight": ("zork",)}, {"highlight": ("title",), "marks": ("\ud800", "")}),
    *({"facets": (facet,)} for facet in (Terms("title"), Terms("zork"), Terms("code", limit=0), Terms("amount", also=("x",)))),
    *({"facets": (facet,)} for facet in (Dates("code", "day"), Dates("born", "hour"), Dates("seen", "day", "Mars/Phobos"))),
    *({"facets": (facet,)} for facet in (Dates("seen", "decade"), Dates("seen", "day", ""), Dates("seen", "day", "../UTC"))),  # type: ignore[arg-type]
    *({"facets": (facet,)} for facet in (Ranges("code", (("a", "b"),)), Ranges("amount", ((2, 1),)), Ranges("amount", ((1.5, None),)))),
    *({"facets": (facet,)} for facet in (Stats("code"), Stats("born"), Stats("zork"))),
]


def deep(depth: int) -> Condition:
    """True where there is a code; so many conditions, each in the next."""
    condition: Condition = Exists("code")
    for number in range(depth - 1):
        condition = [Not, lambda inner: And((inner,)), Not, lambda inner: Or((inner,))][number % 4](condition)
    return condition
