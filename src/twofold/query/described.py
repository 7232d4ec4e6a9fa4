"""The parameters of queries as OpenAPI describes them, in a query string and in a body."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from twofold.fields import Field
from twofold.query import facets, grammar, language, parameters, words
from twofold.query.values import MAX_VALUES
from twofold.resource import Declaration
from twofold.runtime.openapi import Json, parameter, schema


@dataclass(frozen=True, slots=True)
class Parameter:
    """One that a query string or a body may hold."""

    name: str
    schema: Json
    description: str
    example: Any
    repeated: bool = False

    def in_query(self) -> Json:
        form = {"style": "form", "explode": self.repeated} if self.schema.get("type") == "array" else {}
        return parameter(self.name, "query", self.schema, self.description) | form | {"example": self.example}

    def in_body(self) -> Json:
        return {**self.schema, "description": self.description, "examples": [self.example]}


def searched(resource: Declaration) -> Parameter:
    texts = ", ".join(parameters.searchable(resource)) or "no field"
    told = f'Words that all occur in {texts}. "phrase", -excluded, a | b, begin*; the last word may be a beginning, unless a space follows.'
    return Parameter("q", {"type": "string", "maxLength": words.MAX_QUERY}, told, "ana gar")


def filtered() -> Parameter:
    told = "Comparisons (= != < <= > >=, IN [a, b], EXISTS, IS NULL) with NOT, AND, OR and parentheses."
    return Parameter("filter", {"type": "string", "maxLength": grammar.MAX_FILTER}, told, "created_at >= 2026-01-01T00:00:00Z")


def shown(resource: Declaration) -> Parameter:
    return Parameter("fields", _names(parameters.members(resource)), "Only these members, with id and version.", ["created_at"])


def ordered(resource: Declaration, default: str) -> Parameter:
    sortable = parameters.sortable(resource)
    items = {"type": "string", "pattern": f"^-?({'|'.join(sortable)})$"}
    told = f"Up to {parameters.MAX_SORTS} of {', '.join(sortable)}, with - before one for descending. {default}"
    return Parameter("sort", {"type": "array", "items": items, "minItems": 1, "maxItems": parameters.MAX_SORTS}, told, ["-created_at"])


def refined(resource: Declaration) -> Iterator[Parameter]:
    for field in resource.filterable.values():
        one = schema(replace(field, many=False, nullable=False))
        values = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_VALUES}
        yield Parameter(field.name, values, f"Only where {field.name} is one of these.", [_example(field)], repeated=True)


def _example(field: Field) -> Any:
    by_kind = {"integer": 42, "float": 1.5, "boolean": True, "date": "2026-01-31", "datetime": "2026-01-31T12:00:00Z", "decimal": "12.30"}
    return field.choices[0] if field.choices else by_kind.get(field.kind, "text")


def page(resource: Declaration) -> Iterator[Parameter]:
    yield searched(resource)
    told = "How many typos a word of letters may have; auto: one from 5 letters on, two from 9."
    yield Parameter("fuzzy", {"type": "string", "enum": list(words.FUZZY), "default": "off"}, told, "auto")
    yield filtered()
    yield from refined(resource)
    yield ordered(resource, "Best match first with q, else newest first.")
    limit = {"type": "integer", "minimum": 0, "maximum": language.MAX_LIMIT, "default": language.DEFAULT_LIMIT}
    yield Parameter("limit", limit, "Hits on a page; 0 for counts and facets alone.", 10)
    yield Parameter("cursor", {"type": "string"}, "`next_cursor` of the page before.", "WyIx")
    offset = {"type": "integer", "minimum": 0, "maximum": language.MAX_OFFSET}
    yield Parameter("offset", offset, f"Hits to skip; with limit at most {language.MAX_OFFSET:,}. Not with a cursor.", 20)
    told = "Whether to count beyond 10,000 matches."
    yield Parameter("count", {"type": "string", "enum": list(language.COUNTS), "default": "capped"}, told, "exact")
    yield shown(resource)
    yield from _counted(resource)
    if parameters.searchable(resource):
        texts = parameters.searchable(resource)
        yield Parameter("highlight", _names(texts), "Text fields in which to mark what was found.", texts[:1])
    least, most = language.TIMEOUT_MS
    told = "The time after which to answer with what there is, as `incomplete`."
    yield Parameter("timeout_ms", {"type": "integer", "minimum": least, "maximum": most}, told, 1500)


def _counted(resource: Declaration) -> Iterator[Parameter]:
    items = {"type": "string", "pattern": f"^({'|'.join(facets.facetable(resource))})(:.*)?$"}
    intervals = ", :".join(facets.INTERVALS)
    told = f"What to count matches by: a field, a date with :{intervals}, a number with :stats, either with ranges (:from..to;from..to)."
    yield Parameter("facets", {"type": "array", "items": items, "minItems": 1, "maxItems": facets.MAX_FACETS}, told, ["created_at:month"])
    limit = {"type": "integer", "minimum": 1, "maximum": facets.MAX_BUCKETS, "default": facets.DEFAULT_BUCKETS}
    yield Parameter("facet_limit", limit, "The most frequent values to list.", 20)
    told = "disjunctive: a facet counts as if the values chosen for its own field were not."
    yield Parameter("facet_mode", {"type": "string", "enum": list(language.MODES), "default": language.MODES[0]}, told, "conjunctive")
    yield Parameter("time_zone", {"type": "string", "default": "UTC"}, "Whose days and months facets count.", "Europe/Berlin")


def _names(allowed: list[str]) -> Json:
    return {"type": "array", "items": {"type": "string", "enum": allowed}, "minItems": 1}
