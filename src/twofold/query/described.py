"""The parameters of queries as OpenAPI describes them, in a query string and in a body."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from twofold.query import facets, grammar, language, parameters, words
from twofold.query.values import MAX_VALUES
from twofold.resource import Declaration
from twofold.runtime.openapi import Json, parameter, schema


@dataclass(frozen=True, slots=True)
class Parameter:
    """One that a query string or a body may hold. `example` only where it fits beside all others: Swagger UI fills in every one."""

    name: str
    schema: Json
    description: str
    example: Any = None
    repeated: bool = False

    def in_query(self) -> Json:
        form = {"style": "form", "explode": self.repeated} if self.schema.get("type") == "array" else {}
        shown = {} if self.example is None else {"example": self.example}
        return parameter(self.name, "query", self.schema, self.description) | form | shown

    def in_body(self) -> Json:
        shown = {} if self.example is None else {"examples": [self.example]}
        return {**self.schema, "description": self.description} | shown


def searched(resource: Declaration) -> Parameter:
    schema_: Json = {"type": "string", "maxLength": words.MAX_QUERY}
    texts = ", ".join(parameters.searchable(resource))
    if not texts:
        return Parameter("q", schema_, "Words. This resource has no text field (Text()) to find them in: any word finds nothing.")
    told = f'Words that all occur in {texts}. "phrase", -excluded, a | b, begin*; the last word may be a beginning, unless a space follows.'
    return Parameter("q", schema_, told, "ana gar")


def filtered() -> Parameter:
    told = "Comparisons (= != < <= > >=, IN [a, b], EXISTS, IS NULL) with NOT, AND, OR and parentheses."
    return Parameter("filter", {"type": "string", "maxLength": grammar.MAX_FILTER}, told)


def shown(resource: Declaration) -> Parameter:
    return Parameter("fields", _names(parameters.members(resource)), "Only these members, with id and version.")


def ordered(resource: Declaration, default: str) -> Parameter:
    sortable = parameters.sortable(resource)
    items = {"type": "string", "pattern": f"^-?({'|'.join(sortable)})$"}
    told = f"Up to {parameters.MAX_SORTS} of {', '.join(sortable)}, with - before one for descending. {default}"
    return Parameter("sort", {"type": "array", "items": items, "minItems": 1, "maxItems": parameters.MAX_SORTS}, told)


def refined(resource: Declaration) -> Iterator[Parameter]:
    for field in resource.filterable.values():
        one = schema(replace(field, many=False, nullable=False))
        values = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_VALUES}
        yield Parameter(field.name, values, f"Only where {field.name} is one of these.", repeated=True)


def page(resource: Declaration) -> Iterator[Parameter]:
    yield searched(resource)
    told = "How many typos a word of letters may have; auto: one from 5 letters on, two from 9."
    yield Parameter("fuzzy", {"type": "string", "enum": list(words.FUZZY), "default": "off"}, told)
    yield filtered()
    yield from refined(resource)
    yield ordered(resource, "Best match first with q, else newest first.")
    limit = {"type": "integer", "minimum": 0, "maximum": language.MAX_LIMIT, "default": language.DEFAULT_LIMIT}
    yield Parameter("limit", limit, "Hits on a page; 0 for counts and facets alone.", 10)
    yield Parameter("cursor", {"type": "string"}, "`next_cursor` of the page before.")
    offset = {"type": "integer", "minimum": 0, "maximum": language.MAX_OFFSET}
    yield Parameter("offset", offset, f"Hits to skip; with limit at most {language.MAX_OFFSET:,}. Not with a cursor.")
    told = "Whether to count beyond 10,000 matches."
    yield Parameter("count", {"type": "string", "enum": list(language.COUNTS), "default": "capped"}, told)
    yield shown(resource)
    yield from _counted(resource)
    if parameters.searchable(resource):
        texts = parameters.searchable(resource)
        yield Parameter("highlight", _names(texts), "Text fields in which to mark what was found.")
    least, most = language.TIMEOUT_MS
    told = "The time after which to answer with what there is, as `incomplete`."
    yield Parameter("timeout_ms", {"type": "integer", "minimum": least, "maximum": most}, told)


def _counted(resource: Declaration) -> Iterator[Parameter]:
    items = {"type": "string", "pattern": f"^({'|'.join(facets.facetable(resource))})(:.*)?$"}
    intervals = ", :".join(facets.INTERVALS)
    told = f"What to count matches by: a field, a date with :{intervals}, a number with :stats, either with ranges (:from..to;from..to)."
    yield Parameter("facets", {"type": "array", "items": items, "minItems": 1, "maxItems": facets.MAX_FACETS}, told)
    limit = {"type": "integer", "minimum": 1, "maximum": facets.MAX_BUCKETS, "default": facets.DEFAULT_BUCKETS}
    yield Parameter("facet_limit", limit, "The most frequent values to list.")
    told = "disjunctive: a facet counts as if the values chosen for its own field were not."
    yield Parameter("facet_mode", {"type": "string", "enum": list(language.MODES), "default": language.MODES[0]}, told)
    yield Parameter("time_zone", {"type": "string", "default": "UTC"}, "Whose days and months facets count.")


def _names(allowed: list[str]) -> Json:
    return {"type": "array", "items": {"type": "string", "enum": allowed}, "minItems": 1}
