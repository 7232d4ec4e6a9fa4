"""The index that a declaration needs on Elasticsearch and OpenSearch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twofold.fields import Field
from twofold.index.mapping import texts
from twofold.index.shape import wanted
from twofold.kinds import Form
from twofold.resource import Declaration

# Raise it where settings, the analyser, or what is made of a kind of field changes: generations of before then ask for a rebuild.
ANALYSIS = 2
ANALYZER = "folded"
LIVE: dict[str, Any] = {"bool": {"must_not": {"term": {"deleted": True}}}}
# Strangers who write to the alias are refused; readers see live documents only.
READING: dict[str, Any] = {"filter": LIVE, "is_write_index": False}
_KEYWORD: dict[str, Any] = {"type": "keyword"}
_TEXT: dict[str, Any] = {"type": "text", "analyzer": ANALYZER}
_STORED: dict[str, Any] = {"type": "keyword", "index": False, "doc_values": False}  # told, but neither searched nor sorted by
_DATETIME: dict[str, Any] = {"type": "date", "format": "strict_date_time"}
_TYPES: dict[Form, dict[str, Any]] = {
    "integer": {"type": "long"},
    "float": {"type": "double"},
    "boolean": {"type": "boolean"},
    "date": {"type": "date", "format": "strict_date"},
    "datetime": _DATETIME,
}


def writing_alias(generation: str) -> str:
    """The name to write to. A bulk with `require_alias` creates nothing where the generation is gone."""
    return f"{generation}-write"


def index_body(resource: Declaration, marks: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "settings": {"index": _settings()},
        "mappings": {"dynamic": "strict", "_meta": meta(resource, marks), "properties": _properties(resource)},
    }


def aliases(resource: Declaration, generation: str, *, live: bool) -> dict[str, Any]:
    """Made with the generation in one request: there is no moment with one and without the other."""
    return {writing_alias(generation): {}, **({resource.index: READING} if live else {})}


def mapping_of(resource: Declaration, fields: list[Field], marks: Mapping[str, Any]) -> dict[str, Any]:
    """The addition of fields to a generation's mapping."""
    return {"_meta": meta(resource, marks), "properties": {field.name: _property(field) for field in fields}}


def meta(resource: Declaration, marks: Mapping[str, Any]) -> dict[str, Any]:
    """What a generation tells of itself. Engines put it in place of what was noted before, as a whole."""
    built = wanted(resource, ANALYSIS)
    told = {"resource": resource.name, "digest": built.digest, "fields": built.fields, "analysis": built.analysis}
    return {"twofold": {**told, "marks": marks}}


def text_paths(resource: Declaration) -> list[str]:
    return [f"{field.name}.text" if field.keyword else field.name for field in texts(resource)]


def _settings() -> dict[str, Any]:
    analyzer = {"type": "custom", "tokenizer": "standard", "filter": ["asciifolding", "lowercase"]}  # in this order: ǧ is folded to G
    return {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        # Also of a generation that is filled and that nobody reads: without refreshes, those who index have to write segments.
        "refresh_interval": "1s",
        "gc_deletes": "0s",  # we never delete but to repair a version that a hand edit raised
        "mapping": {"coerce": False},  # "12" is no number
        "analysis": {"analyzer": {ANALYZER: analyzer}},
    }


def _properties(resource: Declaration) -> dict[str, Any]:
    system = {
        "id": _KEYWORD,
        "version": _TYPES["integer"],
        "deleted": _TYPES["boolean"],
        "created_at": _DATETIME,
        "updated_at": _DATETIME,
    }
    return system | {field.name: _property(field) for field in resource.indexed}


def _property(field: Field) -> dict[str, Any]:
    if field.kind.form != "string":
        return _TYPES[field.kind.form]
    if field.keyword:
        return {**_KEYWORD, "fields": {"text": _TEXT}} if field.text else _KEYWORD
    return _TEXT if field.text else _STORED
