"""Whether a generation has the shape that the declaration asks for, and what is said where it has not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from twofold.errors import Outdated, Rejected
from twofold.fields import Field
from twofold.index.mapping import shape
from twofold.resource import Declaration


@dataclass(frozen=True, slots=True)
class Shape:
    """How a generation is built: how each field is indexed, in words, and the `analysis`, a number that the adapter raises where it
    makes something else of the same words.
    """

    fields: Mapping[str, str]
    analysis: int

    @property
    def digest(self) -> str:
        """Sixteen digits that change with the shape."""
        return hashlib.sha256(orjson.dumps([self.fields, self.analysis], option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def wanted(resource: Declaration, analysis: int) -> Shape:
    return Shape(shape(resource), analysis)


def lacking(resource: Declaration, held: Shape) -> list[Field]:
    """The fields that a generation lacks, which can be added to it."""
    return [field for field in resource.indexed if field.name not in held.fields]


def creation(resource: Declaration) -> str:
    return f"create the index {generation_name(resource, 1)} with the alias {resource.index}"


def addition(field: Field, generation: str, resource: Declaration) -> str:
    """What `migrate` says of a field that it adds. Rows have the default of a column that was added; documents get it by a rebuild."""
    filled = "" if field.default is None else f" (documents that are there get its default by `twofold rebuild {resource.name}`)"
    return f"add the field {field.name} to the index {generation}{filled}"


def misfit(resource: Declaration, generation: str, held: Shape, analysis: int) -> str:
    """The sentence about what only a rebuild can change, "" where there is nothing of it."""
    now = shape(resource)
    differences = [
        f"{name} was {was}, {f'is {now[name]}' if name in now else 'is not declared any more'}"
        for name, was in held.fields.items()
        if now.get(name) != was
    ]
    if held.analysis != analysis:
        differences.append(f"its texts and settings are those of version {held.analysis}, these are of version {analysis}")
    if not differences:
        return ""
    return (
        f"{generation} was built for another declaration ({'; '.join(differences)}): run `twofold rebuild {resource.name}`, unless "
        "this program is the older one"
    )


def generation_name(resource: Declaration, number: int) -> str:
    return f"{resource.index}-{number:06d}"


def number_of(resource: Declaration, generation: str) -> int:
    """Which of the resource's generations it is, by its name; 0 where it cannot be one of them."""
    found = re.fullmatch(re.escape(resource.index) + r"-(\d{6,18})", generation, re.ASCII)
    return int(found[1]) if found else 0


def not_ours(resource: Declaration, generation: str) -> Rejected:
    return Rejected(f"There is no generation {generation} of {resource.name}. `twofold generations {resource.name}` lists them")


class Fitting:
    """The generations that are known to be of a declaration's shape. `digest` is what the generation holds as the digest of its shape."""

    def __init__(self, analysis: int) -> None:
        self._analysis = analysis
        self._known: dict[tuple[str, type], dict[tuple[str, str], None]] = {}

    def known(self, resource: Declaration, generation: str, digest: str) -> bool:
        return (generation, digest) in self._known.get((resource.index, resource.cls), ())

    def meet(self, resource: Declaration, generation: str, held: Shape, digest: str) -> None:
        """Raises Outdated where the shape is not exactly the declaration's. A generation that was met may have got fields since."""
        known, asked = self._known.setdefault((resource.index, resource.cls), {}), wanted(resource, self._analysis)
        before = next(reversed(known), ("", ""))[0]
        grown = generation == before and held.analysis == asked.analysis and asked.fields.items() <= held.fields.items()
        if held != asked and not grown:
            raise Outdated(self._sentence(resource, generation, held, before))
        known[generation, digest] = None

    def _sentence(self, resource: Declaration, generation: str, held: Shape, before: str) -> str:
        if before not in ("", generation):
            older = number_of(resource, before) < number_of(resource, generation)
            fix = "the older one. Start the new version." if older else "the newer one. Start the version before."
            return f"The index {resource.index} is now {generation}, which was built for another declaration: this program is {fix}"
        if sentence := misfit(resource, generation, held, self._analysis):
            return sentence
        names = ", ".join(field.name for field in lacking(resource, held))
        return f"{generation} lacks what the app declares ({names}). Run: twofold migrate"
