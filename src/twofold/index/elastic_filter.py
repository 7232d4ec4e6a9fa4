"""Conditions in Elasticsearch's query language. What a user wrote is only ever the value of a leaf."""

from __future__ import annotations

from typing import Any

from twofold.index.search import And, Begins, Compare, Condition, Exists, Not, OneOf, Operator, Or

Json = dict[str, Any]
_SIDES: dict[Operator, str] = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def condition_query(condition: Condition) -> Json:
    match condition:
        case Not(inner):
            return {"bool": {"must_not": condition_query(inner)}}
        case And(conditions):
            return {"bool": {"filter": [condition_query(each) for each in conditions]}}
        case Or(conditions):
            return {"bool": {"should": [condition_query(each) for each in conditions] or [{"match_none": {}}]}}
        case _:
            return _leaf(condition)


def _leaf(condition: OneOf | Compare | Begins | Exists) -> Json:
    match condition:
        case OneOf(field, values):
            return {"terms": {field: list(values)}}
        case Compare(field, operator, value):
            return {"range": {field: {_SIDES[operator]: value}}}
        case Begins(field, text):
            return {"prefix": {field: {"value": text}}}
        case Exists(field):
            return {"exists": {"field": field}}
