"""Whether the names of a file fit the resource, judged before its first row: a header's, or those of the first object of an export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from twofold.errors import SettingsError
from twofold.fields import Field
from twofold.imports.lines import SYSTEM
from twofold.imports.options import Options, suggestion
from twofold.resource import Declaration


@dataclass(frozen=True)
class Names:
    """The names that a file has, and the members that they stand for; "" is a name that is left out."""

    names: Sequence[str]
    members: Sequence[str]
    resource: Declaration
    options: Options

    @cached_property
    def exported(self) -> bool:
        """Whether it is an export of ours: every one has these, unless it was asked for others."""
        return {"id", "version"} <= set(self.members)

    @cached_property
    def missing(self) -> Sequence[Field]:
        """The fields of the resource that it does not have."""
        return [field for field in self.resource.fields if field.name not in self.members]

    def judge(self, what: str) -> None:
        """Raises SettingsError with everything that no row could make good. `what` has these names."""
        faults = [fault for check in _CHECKS for fault in check(self)]
        if faults:
            raise SettingsError(f"The {what} does not fit; nothing was read. " + " ".join(faults))

    @property
    def lacking(self) -> str:
        """What becomes of the fields that an export does not have, as one line; "" where it has all."""
        if not self.exported or not self.missing:
            return ""
        told = "Rows get their defaults."
        if self.options.by:
            needed = ", ".join(field.name for field in self.missing if field.required)
            new = f"a line without a row is rejected, since a new one needs {needed}" if needed else "new rows get the defaults"
            told = f"Rows that are there keep what they have; {new}."
        return f"not taken from the export: {', '.join(field.name for field in self.missing)}. {told}"


def _unnamed(file: Names) -> Iterator[str]:
    for name in file.options.columns.keys() - set(file.names) - {"*"}:
        yield f"--columns names {name!r}, which is no column."


def _repeated(file: Names) -> Iterator[str]:
    for member in sorted({each for each in file.members if each and file.members.count(each) > 1}):
        yield f"{member} occurs {file.members.count(member)} times."


def _unknown(file: Names) -> Iterator[str]:
    if not file.names:
        yield "It names no field."
        return
    known = {field.name for field in file.resource.fields}
    strange = [(name, member) for name, member in zip(file.names, file.members, strict=True) if member and member not in {*known, *SYSTEM}]
    if len(file.names) == 1 and strange:
        name = file.names[0]
        if other := next((each for each in ",;\t|" if each in name), ""):
            yield f"It is one column, {name[:100]!r}. If {other!r} stands between cells, say --delimiter {other!r}."
            return
    if file.names[0].startswith(("#", "sep=")):
        yield f"The first line, {file.names[0][:100]!r}, holds no names: take it away."
        return
    for name, member in strange:
        yield f"{name[:100]!r} is no field{suggestion(member, known)}"
    if strange:
        yield "--columns 'NAME=field' renames a column, 'NAME=' leaves it out, '*=' all that are not named."


def _missing(file: Names) -> Iterator[str]:
    if file.options.by:
        if file.options.by not in file.members:
            yield f"{file.options.by} is missing, which --update-by names."
        return
    for field in file.missing:
        if field.required:
            secret = "; secrets are in no export" if field.secret and file.exported else ""
            yield f"{field.name} is missing, and every row needs it{secret}."


def _shaped(file: Names) -> Iterator[str]:
    """Why an export of the resource itself does not fit it."""
    known = {*(field.name for field in file.resource.fields), *SYSTEM, ""}
    needed = not file.options.by and any(field.required for field in file.missing)
    if file.exported and file.resource.shape is not None and (needed or not known.issuperset(file.members)):
        yield f"An export has what {file.resource.cls.__name__}.document makes, and not what is stored."


def _guarded(file: Names) -> Iterator[str]:
    for field in file.resource.guarded:
        if field.name in file.members and not file.options.with_guarded:
            yield f"{field.name} is changed by commands only: --with-guarded sets it all the same, --columns '{field.name}=' leaves it out."


_CHECKS: tuple[Callable[[Names], Iterator[str]], ...] = (_unnamed, _repeated, _unknown, _missing, _shaped, _guarded)
