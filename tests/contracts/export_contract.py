"""The promises of `ReadStore.export`. Mixed into the searches' contract."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from index_contract import Declare, dead, fill, find, live

from twofold.index.port import ReadStore
from twofold.index.search import Compare, Search, Sort, Term

ANNA = ((Term("anna"),),)


class ExportContract:
    """Beside `SearchContract`."""

    def test_an_export_is_all_hits_in_the_searchs_order_in_bounded_chunks(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, (live(f"{number:05}", title=("anna", "bob")[number % 2], amount=-number // 10) for number in range(2_500)))

        search = Search(ANNA, filter=Compare("amount", "<", -10), sort=(Sort("amount"), Sort("id", descending=True)), limit=3, offset=1)
        with store.export(resource, search) as chunks:
            found = list(chunks)

        expected = [number for number in range(0, 2_500, 2) if -number // 10 < -10]
        expected.sort(key=lambda number: (-number // 10, -number))
        assert [hit.document["id"] for chunk in found for hit in chunk] == [f"{number:05}" for number in expected]
        assert all(0 < len(chunk) <= 1_000 for chunk in found)

    def test_an_export_is_as_of_one_moment(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, (live(f"{number:05}", amount=1) for number in range(3_000)))

        with store.export(resource, Search()) as chunks:
            fill(store, resource, [live("00000", 2, amount=2), dead("02999", 2), live("05000", amount=2), live("01500", 2, amount=2)])
            hits = [hit for chunk in chunks for hit in chunk]

        assert [hit.document["id"] for hit in hits] == [f"{number:05}" for number in range(3_000)]
        assert {hit.document["amount"] for hit in hits} == {1}
        with store.export(resource, Search(filter=Compare("amount", ">", 1))) as chunks:
            assert [hit.document["id"] for chunk in chunks for hit in chunk] == ["00000", "01500", "05000"]

    def test_an_export_by_score(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("long", title="anna " + "and so on " * 50), live("short", title="anna"), live("no", title="bob")])
        fill(store, resource, [live(f"z{number}", title="something else") for number in range(20)])

        with store.export(resource, Search(ANNA, sort=(Sort("_score", descending=True),))) as chunks:
            hits = [hit for chunk in chunks for hit in chunk]

        assert [hit.document["id"] for hit in hits] == ["short", "long"]
        assert hits[0].score is not None
        assert hits[1].score is not None
        assert hits[0].score > hits[1].score

    def test_an_export_of_nothing_has_no_chunks(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        with store.export(resource, Search()) as chunks:
            assert list(chunks) == []

    def test_an_export_may_be_left_early_and_run_beside_others_and_searches(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, (live(f"{number:05}") for number in range(1_200)))

        def export(_: int) -> int:
            with store.export(resource, Search()) as chunks:
                return sum(len(chunk) for chunk in chunks)

        with store.export(resource, Search()) as chunks:
            first = next(chunks)
            assert first[0].document["id"] == "00000"
            assert find(store, resource).total == 1_200
            with ThreadPoolExecutor(2) as pool:
                assert list(pool.map(export, range(4))) == [1_200] * 4
        assert find(store, resource).total == 1_200


