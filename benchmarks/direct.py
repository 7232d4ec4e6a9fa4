"""The same questions straight to Elasticsearch or OpenSearch, as wrk sends them."""

from __future__ import annotations

from urllib.parse import urlsplit

import orjson

from twofold.bench.measure import Subject
from twofold.bench.queries import Question
from twofold.bench.workspace import Workspace
from twofold.bench.wrk import template
from twofold.errors import SettingsError
from twofold.index.elastic_query import search_body
from twofold.resource import Declaration


def subject(workspace: Workspace, resource: Declaration, question: Question) -> Subject:
    """Gets by id and searches of the alias, one request each. Raises SettingsError for an engine that wrk cannot be let loose on."""
    url = urlsplit(workspace.settings.read_url)
    if url.username or "+" in url.scheme or "," in url.netloc:
        raise SettingsError("wrk asks the search engine itself: that needs one node, without TLS and password.")
    return Subject(url.port or 9200, [_template(resource, each) for each in question.searches], host=url.hostname or "")


def _template(resource: Declaration, asked: object) -> bytes:
    if isinstance(asked, str):
        return template("GET", f"/{resource.index}/_doc/{asked}")
    return template("POST", f"/{resource.index}/_search", orjson.dumps(search_body(resource, asked)))  # type: ignore[arg-type]
