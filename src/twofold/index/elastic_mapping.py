"""The index that a declaration needs on Elasticsearch and OpenSearch."""

from __future__ import annotations

from typing import Any

from twofold.fields import Field, Kind
from twofold.index.mapping import digest, shape, texts
from twofold.resource import Declaration

ANALYZER = "folded"
LIVE: dict[str, Any] = {"bool": {"must_not": {"term": {"deleted": True}}}}
_KEYWORD: dict[str, Any] = {"type": "keyword"}
_TEXT: dict[str, Any] = {"type": "text", "analyzer": ANALYZER}
_STORED: dict[str, Any] = {"type": "keyword", "index": False, "doc_values": False}  # told, but neither searched nor sorted by
_DATETIME: dict[str, Any] = {"type": "date", "format": "strict_date_time"}
_TYPES: dict[Kind, dict[str, Any]] = {
    "integer": {"type": "long"},
    "decimal": {"type": "long"},
    "float": {"type": "double"},
    "boolean": {"type": "boolean"},
    "date": {"type": "date", "format": "strict_date"},
    "datetime": _DATETIME,
}


def writing_alias(generation: str) -> str:
    """The name to write to. A bulk with `require_alias` creates nothing where the generation is gone."""
    return f"{generation}-write"


def index_body(resource: Declaration, generation: str, refresh_interval: str) -> dict[str, Any]:
    """A generation with its aliases, made in one request: there is no moment with one and without the other."""
    return {
        "settings": {"index": _settings(refresh_interval)},
        "mappings": {"dynamic": "strict", "_meta": meta(resource), "properties": _properties(resource)},
        # Strangers who write to the alias are refused; readers see live documents only.
        "aliases": {resource.index: {"filter": LIVE, "is_write_index": False}, writing_alias(generation): {}},
    }


def mapping_of(resource: Declaration, fields: list[Field]) -> dict[str, Any]:
    """The addition of fields to a generation's mapping."""
    return {"_meta": meta(resource), "properties": {field.name: _property(field) for field in fields}}


def meta(resource: Declaration) -> dict[str, Any]:
    return {"twofold": {"resource": resource.name, "digest": digest(resource), "fields": shape(resource)}}


def text_paths(resource: Declaration) -> list[str]:
    return [f"{field.name}.text" if field.keyword else field.name for field in texts(resource)]


def _settings(refresh_interval: str) -> dict[str, Any]:
    analyzer = {"type": "custom", "tokenizer": "standard", "filter": ["asciifolding", "lowercase"]}  # in this order: ǧ is folded to G
    return {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "refresh_interval": refresh_interval,
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
    if field.kind != "string":
        return _TYPES[field.kind]
    if field.keyword:
        return {**_KEYWORD, "fields": {"text": _TEXT}} if field.text else _KEYWORD
    return _TEXT if field.text else _STORED
