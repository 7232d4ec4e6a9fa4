"""What only Elasticsearch and OpenSearch can get wrong about searches, facets and exports; pinned beside the contracts' bindings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import test_index
from facets_contract import Moments
from index_contract import Declare, IndexContract, fill, find, live
from marks_contract import Written
from test_index import THINGS, Answer, answering

from twofold.errors import EngineError, Unavailable, Unfit
from twofold.index.elastic_client import Client, Engine
from twofold.index.port import ReadStore
from twofold.index.search import Buckets, Dates, Page, Search, Sort, Stats, Summary, Term, Terms
from twofold.kinds.datetimes import timestamp

EMPTY = {
    "timed_out": False,
    "_shards": {"total": 1, "successful": 1, "failed": 0},
    "hits": {"hits": [], "total": {"value": 0, "relation": "eq"}},
}
BEST = (Sort("_score", descending=True),)


class ElasticSearches:
    engine: Engine
    url: str
    declare, store = IndexContract.declare, test_index.ElasticContract.store
    cluster = test_index.ElasticContract.cluster
    drop, lose = test_index.ElasticContract.drop, test_index.ElasticContract.lose

    def test_more_intervals_than_the_engine_counts_are_refused_as_others_are(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Moments)
        start = datetime(2000, 1, 1, tzinfo=UTC)
        hours = [timestamp(start + timedelta(hours=hour)) for hour in range(70_000)]
        fill(store, resource, [live(str(part), also_at=hours[part::70]) for part in range(70)])

        with pytest.raises(Unfit, match="longer interval"):
            find(store, resource, facets=(Dates("also_at", "hour"),))

    def test_many_misspelt_words_among_many_words_alike_are_searched_for(self, store: ReadStore, declare: Declare) -> None:
        """Each of 50 words in 3 fields is near to hundreds; a query may have 1,024 leaves."""
        resource = declare(Written)
        letters = "abcdefghijkl"
        words = [f"word{a}{b}{c}" for a in letters for b in letters for c in letters]
        texts = [words[part::40] for part in range(40)]
        fill(store, resource, [live(f"{at:02}", title=" ".join(text), label=text[0], lines=text) for at, text in enumerate(texts)])

        every = Search(tuple((Term(word, typos=2),) for word in words[:50]), sort=BEST, highlight=("title",), marks=("[", "]"))
        some = replace(every, text=(tuple(Term(word, typos=2, prefix=True) for word in words[:50]),))
        one = replace(every, text=((Term(words[0], typos=2),),))
        pages = store.search(resource, [every, replace(every, sort=(Sort("id"),)), some, one])

        assert pages[0].total == pages[1].total
        assert pages[2].total == 40
        assert pages[3].hits[0].document["id"] == "00"

    @pytest.mark.parametrize("how", ["read", "left", "broken"])
    def test_an_export_leaves_no_point_in_time_behind(self, store: ReadStore, declare: Declare, cluster: Client, how: str) -> None:
        resource = declare()
        fill(store, resource, (live(f"{number:04}") for number in range(1_500)))

        with suppress(KeyError), store.export(resource, Search()) as chunks:
            next(chunks)
            assert self.open_searches(cluster, resource.index) > 0
            if how == "read":
                list(chunks)
            if how == "broken":
                raise KeyError

        assert self.open_searches(cluster, resource.index) == 0

    def test_chunks_of_an_export_are_small_where_documents_are_large(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, (live(f"{number:04}", note="x" * 60_000, title="y" * 60_000) for number in range(300)))

        with store.export(resource, Search()) as chunks:
            sizes = [len(chunk) for chunk in chunks]

        assert (sum(sizes), sizes[0]) == (300, 100)
        assert max(sizes[1:]) < 75

    @staticmethod
    def open_searches(cluster: Client, index: str) -> int:
        _, stats = cluster.send("GET", f"/{index}/_stats/search")
        found: int = stats["_all"]["primaries"]["search"]["open_contexts"]
        return found


class TestElasticsearch(ElasticSearches):
    engine = "elasticsearch"
    url = test_index.TestElasticsearch.url


class TestOpenSearch(ElasticSearches):
    engine = "opensearch"
    url = test_index.TestOpenSearch.url


def saying(page: dict[str, Any]) -> Callable[[str, list[bytes]], Answer]:
    return lambda _, lines: (200, {"responses": [page for _ in lines[::2]]})


class TestAnswers:
    """What a cluster may answer to a search on a bad day."""

    @pytest.mark.parametrize(
        "page",
        [
            EMPTY | {"_shards": {"total": 2, "successful": 1, "failed": 0}},  # no copy of a shard is there
            EMPTY | {"_shards": {"total": 2, "successful": 1, "failed": 1}},
            EMPTY | {"error": {"type": "es_rejected_execution_exception", "reason": ""}, "status": 429},
            EMPTY,  # without facets
        ],
    )
    @pytest.mark.parametrize("seconds", [None, 1.5])
    def test_never_part_of_an_answer_not_even_where_time_is_limited(self, page: dict[str, Any], seconds: float | None) -> None:
        with answering(saying(page)) as store, pytest.raises(Unavailable):
            store.search(THINGS, [Search(facets=(Terms("name"),), seconds=seconds)])

    @pytest.mark.parametrize(
        "page",
        [
            EMPTY | {"timed_out": True},
            {"error": {"root_cause": [{"type": "search_timeout_exception", "reason": "Time exceeded"}]}, "status": 504},
            {"error": {"root_cause": [{"type": "time_exceeded_exception", "reason": None}]}, "status": 500},
        ],
    )
    def test_a_search_that_was_cut_short_is_an_incomplete_page_only_where_it_may_be(self, page: dict[str, Any]) -> None:
        with answering(saying(page)) as store:
            assert store.search(THINGS, [Search(seconds=0.5)]) == [Page(exact=False, incomplete=True)]
            with pytest.raises(Unavailable):
                store.search(THINGS, [Search()])

    def test_what_was_found_before_the_time_was_over_is_told(self) -> None:
        hits = {"hits": [{"_source": {"id": "a"}, "_score": None}], "total": {"value": 1, "relation": "eq"}}
        counts = {"missing-0": {"doc_count": 2}, "values-0": {"count": 0, "min": None, "max": None, "sum": 0.0}}
        page = EMPTY | {"timed_out": True, "hits": hits, "aggregations": counts}

        with answering(saying(page)) as store:
            [found] = store.search(THINGS, [Search(facets=(Stats("version"),), seconds=0.5)])

        assert (found.incomplete, found.exact, found.total, found.last) == (True, False, 1, ("a",))
        assert found.facets == (Summary(missing=2),)

    def test_where_there_was_no_time_at_all_facets_are_empty(self) -> None:
        page = {"error": {"root_cause": [{"type": "time_exceeded_exception", "reason": None}]}, "status": 500}

        with answering(saying(page)) as store:
            [found] = store.search(THINGS, [Search(facets=(Terms("name"), Stats("version")), seconds=0.5)])

        assert found.facets == (Buckets(), Summary())

    def test_only_a_search_with_a_limit_allows_parts(self) -> None:
        sent: list[list[bytes]] = []

        def answer(_: str, lines: list[bytes]) -> Answer:
            sent.append(lines)
            return 200, {"responses": [EMPTY for _ in lines[::2]]}

        with answering(answer) as store:
            store.search(THINGS, [Search(), Search(seconds=1.5)])

        first, body, second, limited = map(orjson.loads, sent[0])
        assert (first["allow_partial_search_results"], "timeout" in body) == (False, False)
        assert (second["allow_partial_search_results"], limited["timeout"]) == (True, "1500ms")

    def test_facets_cost_filters_only_where_some_refinement_is_not_theirs(self) -> None:
        sent: list[Any] = []

        def answer(_: str, lines: list[bytes]) -> Answer:
            sent.extend(orjson.loads(line) for line in lines[1::2])
            return 200, {"responses": [EMPTY for _ in lines[::2]]}

        facets = Terms("name"), Terms("version")
        chosen = (("name", ("a",)),)
        searches = [Search(facets=facets), Search(facets=facets, refinements=chosen)]
        searches += [Search(facets=facets, refinements=chosen, disjunctive=False), Search(facets=facets[1:], refinements=chosen)]
        with answering(answer) as store, pytest.raises(Unavailable):
            store.search(THINGS, searches)

        plain = {"missing-0", "values-0", "missing-1", "values-1"}
        assert [set(body["aggs"]) for body in sent] == [plain, {"missing-0", "values-0", "chosen-1"}, plain, {"missing-0", "values-0"}]
        assert ["post_filter" in body for body in sent] == [False, True, False, False]

    def test_an_aggregate_of_several_shards_tells_by_how_much_it_may_be_wrong(self) -> None:
        values = {"doc_count_error_upper_bound": 7, "sum_other_doc_count": 30, "buckets": [{"key": "a", "doc_count": 20}]}
        asked = {"buckets": [{"key": "b", "doc_count": 4}]}
        page = EMPTY | {"aggregations": {"missing-0": {"doc_count": 1}, "values-0": values, "also-0": asked}}

        with answering(saying(page)) as store:
            [[found]] = (page.facets for page in store.search(THINGS, [Search(facets=(Terms("name", also=("b",)),))]))

        assert isinstance(found, Buckets)
        assert (found.other, found.missing, found.error_bound) == (26, 1, 7)

    @pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
    @pytest.mark.parametrize("content", [{"error": {"type": "x", "reason": ""}, "status": 503}, EMPTY | {"timed_out": True}, {}, []])
    def test_a_point_in_time_is_closed_where_an_export_fails(self, engine: Engine, content: Any) -> None:
        paths: list[str] = []

        def answer(path: str, _: list[bytes]) -> Answer:
            paths.append(path.partition("?")[0])
            return (200, {"id": "moment", "pit_id": "moment"}) if "things" in path else (200, content)

        with answering(answer, engine=engine) as store, pytest.raises(EngineError), store.export(THINGS, Search()) as chunks:
            next(chunks)

        way = {"elasticsearch": "/_pit", "opensearch": "/_search/point_in_time"}[engine]
        assert paths == [f"/things{way}", "/_search", way]

    def test_an_export_needs_a_point_in_time(self) -> None:
        with answering(lambda _, lines: (200, {})) as store, pytest.raises(Unavailable), store.export(THINGS, Search()):
            pass

    def test_an_export_whose_point_in_time_ended_is_unavailable(self) -> None:
        def answer(path: str, _: list[bytes]) -> Answer:
            gone = {"error": {"root_cause": [{"type": "search_context_missing_exception", "reason": "No search context found for id [1]"}]}}
            return (200, {"id": "moment"}) if "things" in path else (404, gone)

        with answering(answer) as store, store.export(THINGS, Search()) as chunks, pytest.raises(Unavailable, match="context_missing"):
            next(chunks)
