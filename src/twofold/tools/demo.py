"""Users that look like users, for trying things out."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from typing import Any

FIRST = (
    "Ana", "Björn", "Chloé", "Dmitri", "Elif", "Fatou", "Gabriel", "Hanna", "Ines",
    "Jakub", "Keiko", "Léa", "Mateo", "Nadia", "Olga", "Pedro", "Quentin", "Rosa",
    "Søren", "Tomás", "Uma", "Viktor", "Wanda", "Ximena", "Yusuf", "Zoë", "Aisha",
    "Bruno", "Carmen", "Daniel", "Emma", "Felix", "Greta", "Hugo", "Irina", "José",
    "Karin", "Lukas", "María", "Nils", "Oscar", "Paula", "Rafael", "Sofia",
)
LAST = (
    "Almeida", "Bauer", "Castillo", "Dvořák", "Eriksson", "Fischer", "García", "Hansen", "Ivanova",
    "Jensen", "Kowalski", "Lindqvist", "Müller", "Novák", "O'Neill", "Petrov", "Quispe", "Rossi",
    "Schneider", "Tanaka", "Ünal", "Vargas", "Weber", "Xavier", "Yildiz", "Zieliński", "Andersson",
    "Brandt", "Costa", "Díaz", "Engel", "Fontaine", "Gómez", "Haddad", "Ibrahim", "Jónsson",
    "Kaya", "Lefèvre", "Moreau", "Nakamura", "Okafor", "Park", "Richter", "Silva", "Torres",
)


def users(count: int, password: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """`count` users with e-mail addresses of their own, numbered from 1: the same ones in every run."""
    draw = random.Random(0)  # noqa: S311 - names, not secrets
    for number in range(1, count + 1):
        name = f"{draw.choice(FIRST)} {draw.choice(LAST)}"
        yield number, {"name": name, "email": f"{_ascii(name)}.{number}@example.com", "password": password}


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return "".join(character for character in plain.replace(" ", ".") if character.isalnum() or character == ".")
