"""What read-your-writes rests on: the promises of `live`, of reads that name a generation, and of refusals. Mixed into the read store's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from index_contract import OK, Declare, dead, fill, find, ids, live

from twofold.errors import Unavailable
from twofold.index.port import ReadStore
from twofold.index.search import Search
from twofold.resource import Declaration

A, B, C = (f"01890000-0000-7000-8000-00000000000{digit}" for digit in "abc")


class FreshnessContract:
    """Beside `IndexContract`, which has the fixtures."""

    drop: Callable[[ReadStore, Declaration], None]

    # live

    def test_live_is_the_generation_behind_the_alias(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        assert store.live(resource) == store.status(resource).generation

    def test_without_an_alias_nothing_is_live(self, store: ReadStore, declare: Declare) -> None:
        with pytest.raises(Unavailable, match="twofold migrate"):
            store.live(declare(migrate=False))

    def test_live_is_asked_for_now(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        store.live(resource)
        self.drop(store, resource)

        with pytest.raises(Unavailable):
            store.live(resource)

    # generation=

    def test_reads_of_the_live_generation_are_those_of_the_alias(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live(A, title="ant"), live(B, title="bee"), dead(C, 1)])
        name = store.live(resource)

        assert store.get(resource, [A, B, C], generation=name) == store.get(resource, [A, B, C])
        assert ids(find(store, resource)) == ids(store.search(resource, [Search()], generation=name)[0]) == [A, B]

    def test_what_was_applied_is_found_after_a_refresh_of_the_generation(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        name = store.live(resource)
        fill(store, resource, [live(A), live(B)])
        assert {outcome.verdict for outcome in store.apply(resource, [dead(A, 2), live(C)])} == {OK}

        store.refresh(resource, generation=name)

        assert ids(store.search(resource, [Search()], generation=name)[0]) == [B, C]

    def test_a_generation_that_is_not_there_is_unavailable(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        name = f"{resource.index}-000009"
        reads: list[Callable[[], Any]] = [
            lambda: store.get(resource, [A], generation=name),
            lambda: store.search(resource, [Search()], generation=name),
        ]

        for read in reads:
            with pytest.raises(Unavailable):
                read()

    # refuse, refused

    def test_of_refusals_the_highest_version_stays(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        for version in (3, 7, 5):
            store.refuse(resource, {A: version})
        store.refuse(resource, {A: 7, B: 1})

        assert store.refused(resource, [A, B, C]) == {A: 7, B: 1}
        assert store.refused(resource, [C]) == store.refused(resource, []) == {}

    def test_refusals_hold_whatever_order_they_come_in_at_once(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda version: store.refuse(resource, {A: version, B: 21 - version}), range(1, 21)))

        assert store.refused(resource, [A, B]) == {A: 20, B: 20}

    def test_a_refusal_is_taken_back_up_to_a_version(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        store.refuse(resource, {A: 7, B: 3, C: 1})

        store.forgive(resource, {A: 6, B: 3, C: 2, "01890000-0000-7000-8000-00000000000f": 1})
        store.forgive(resource, {})

        assert store.refused(resource, [A, B, C]) == {A: 7}
        store.refuse(resource, {B: 5})
        assert store.refused(resource, [A, B, C]) == {A: 7, B: 5}

    def test_nothing_is_refused_where_nothing_is_named(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        store.refuse(resource, {})

        assert store.refused(resource, [A]) == {}

    def test_refusals_are_known_at_once_and_are_no_documents(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        store.refuse(resource, {A: 2**59})
        store.refresh(resource)

        assert store.refused(resource, [A]) == {A: 2**59}
        assert store.get(resource, [A]) == {}
        assert store.status(resource).documents == find(store, resource).total == 0

    def test_many_refusals_are_noted_together(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        versions = {f"01890000-0000-7000-8000-{number:012}": number + 1 for number in range(2000)}

        store.refuse(resource, versions)

        assert store.refused(resource, list(versions)[::8]) == dict(list(versions.items())[::8])

    def test_refusals_are_of_one_resource(self, store: ReadStore, declare: Declare) -> None:
        one, other = declare(), declare()
        store.refuse(one, {A: 3})

        assert store.refused(other, [A]) == {}

    def test_refusals_outlive_their_index(self, store: ReadStore, declare: Declare) -> None:
        """`drop` of the fixtures takes everything; a lost generation takes its documents only."""
        resource = declare()
        store.refuse(resource, {A: 3})
        self.lose(store, resource)

        assert store.migrate(resource) != []
        assert store.refused(resource, [A]) == {A: 3}

    def lose(self, store: ReadStore, resource: Declaration) -> None:
        """Deletes the live generation behind the store's back, and nothing else."""
        raise NotImplementedError

    def test_where_notes_are_kept_is_made_by_migrate_once(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(migrate=False)
        planned = store.pending(resource)

        assert store.migrate(resource) == planned
        assert store.pending(resource) == store.migrate(resource) == []
