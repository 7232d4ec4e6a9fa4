"""The grammar of `filter`: text to a tree, in time that grows with the length only, or what is wrong with it and where."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

MAX_FILTER = 4096  # characters
MAX_COMPARISONS = 50
MAX_DEPTH = 10  # of NOT and parentheses
QUOTES = ("'", "`", "´", "‘", "’", "‚", "“", "”", "„", "«", "»")  # noqa: RUF001 - of other languages, and of typography
SHOWN = 36  # characters of the text on each side of a place
_GRAMMAR = r"""
?start: expression
?expression: term
    | term (_AND term)+ -> all
    | term (_OR term)+ -> any
?term: FIELD OPERATOR value -> compare
    | FIELD _IN "[" value ("," value)* "]" -> one_of
    | FIELD _EXISTS -> exists
    | FIELD _IS _NULL -> missing
    | _NOT term -> negated
    | "(" expression ")"
?value: QUOTED | BARE

OPERATOR: /[!<>]=|[=<>]/
QUOTED: /"(?:[^"\\]|\\.)*"/s
_AND.1: /and(?![^\s()\[\],"=!<>\\])/i
_OR.1: /or(?![^\s()\[\],"=!<>\\])/i
_NOT.1: /not(?![^\s()\[\],"=!<>\\])/i
_IN.1: /in(?![^\s()\[\],"=!<>\\])/i
_IS.1: /is(?![^\s()\[\],"=!<>\\])/i
_NULL.1: /null(?![^\s()\[\],"=!<>\\])/i
_EXISTS.1: /exists(?![^\s()\[\],"=!<>\\])/i
FIELD: /[^\s()\[\],"=!<>\\]+/
BARE: /[^\s()\[\],"=!<>\\]+/
%ignore /\s+/
"""
_PARSER = Lark(_GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)
_VALUE = "a value, in double quotes if it is more than one plain word"
_NAMES = {
    "FIELD": "a field",
    "OPERATOR": "one of = != < <= > >=",
    "_IN": "IN",
    "_EXISTS": "EXISTS",
    "_IS": "IS NULL",
    "_NULL": "NULL",
    "QUOTED": _VALUE,
    "BARE": _VALUE,
    "_NOT": "NOT",
    "_AND": "AND",
    "_OR": "OR",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": "a comma",
    "$END": "the end",
}


class Wrong(ValueError):
    """Something in the text is not as it should be. `place` counts the characters before it."""

    def __init__(self, detail: str, place: int) -> None:
        super().__init__(detail)
        self.detail, self.place = detail, place


def parse(text: str) -> Tree[Token]:
    """The tree of the text, of limited size and depth. Raises Wrong."""
    if len(text) > MAX_FILTER:
        raise Wrong(f"At most {MAX_FILTER:,} characters.", MAX_FILTER)
    parser = _PARSER.parse_interactive(text)
    limits = _Limits()
    tokens: list[Token] = []
    try:
        for token in parser.iter_parse():
            limits.look(token)  # before it is taken
            tokens.append(token)
        tree: Tree[Token] = parser.feed_eof()  # type: ignore[no-untyped-call]
    except UnexpectedInput as error:
        raise _syntax(text, error, tokens) from None
    return tree


class _Limits:
    """Counts comparisons, and the NOTs and parentheses that are open at a token."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._comparisons = 0

    def look(self, token: Token) -> None:
        if token.type in ("_AND", "_OR", "RPAR"):
            self._close(token.type)
        if token.type in ("_NOT", "LPAR"):
            self._open.append(token.type)
        if token.type == "BARE" and token.startswith(QUOTES):
            raise Wrong('Text stands in double quotes: name = "Ana Ek". A value that begins with another quote does too.', place_of(token))
        self._comparisons += token.type == "FIELD"
        if len(self._open) > MAX_DEPTH:
            raise Wrong(f"NOT and parentheses at most {MAX_DEPTH} deep.", place_of(token))
        if self._comparisons > MAX_COMPARISONS:
            raise Wrong(f"At most {MAX_COMPARISONS} comparisons.", place_of(token))

    def _close(self, kind: str) -> None:
        while self._open and self._open[-1] == "_NOT":
            self._open.pop()
        if kind == "RPAR" and self._open:
            self._open.pop()


def place_of(token: Token) -> int:
    """How many characters stand before it."""
    return token.start_pos or 0


def _syntax(text: str, error: UnexpectedInput, tokens: Sequence[Token]) -> Wrong:
    """Where the text leaves the grammar, and what the grammar has there."""
    place, kind = len(text), ""
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        place, kind = place_of(error.token), error.token.type
    if isinstance(error, UnexpectedCharacters):
        place = error.pos_in_stream or 0
    expected = _expected([token for token in tokens if place_of(token) < place])
    if kind in ("_AND", "_OR") and expected & {"_AND", "_OR"}:
        return Wrong("AND and OR side by side could be read in two ways: write (a AND b) OR c, or a AND (b OR c).", place)
    if text[place : place + 1] == '"' and "QUOTED" in expected:
        return Wrong("This quote is not closed.", place)
    words = list(dict.fromkeys(name for terminal, name in _NAMES.items() if terminal in expected))
    return Wrong(f"Expected {' or '.join([', '.join(words[:-1]), words[-1]] if words[1:] else words)}.", place)


def _expected(tokens: Sequence[Token]) -> set[str]:
    """What the grammar has behind these tokens. The parser that failed does not know any more: it had drawn conclusions already."""
    parser = _PARSER.parse_interactive("")
    for token in tokens:
        parser.feed_token(token)
    expected: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
    return expected


def marked(text: str, place: int) -> str:
    """The text around a place, and below it a line with a caret under the place."""
    start = max(0, place - SHOWN)
    shown = "".join(character if character.isprintable() else " " for character in text[start : place + SHOWN])
    before, behind = "…" * (start > 0), "…" * (place + SHOWN < len(text))
    return f"{before}{shown}{behind}\n{' ' * (len(before) + place - start)}^"
