"""E-mail addresses: the rules of Pydantic's EmailStr (the package email-validator), at a tenth of their price for most.

Nearly every address is a plain local part, in lower case, at a domain that was seen before. The library is asked about the domain
once, and about everything else each time. Unlike EmailStr, this does not take a name beside the address ("Ana <ana@example.com>").
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

LONGEST = 254  # RFC 5321, sections 4.5.3.1.1 to 4.5.3.1.3: with the local part's 64
_LONGEST_LOCAL = 64
_PLAIN = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")


def checked(value: str) -> str:
    """The address, with its domain in lower case. Raises Pydantic's error for what is none."""
    value = value.strip()
    local, at, domain = value.partition("@")
    try:
        if at and len(value) <= LONGEST and value.isascii() and _is_plain(local):
            return f"{local}@{_domain(domain)}"
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise PydanticCustomError("value_error", "value is not a valid email address: {reason}", {"reason": str(error)}) from None


def _is_plain(local: str) -> bool:
    """Whether the library leaves a local part as it is. Of those with capital letters it knows: INFO@ becomes info@."""
    return len(local) <= _LONGEST_LOCAL and bool(_PLAIN.fullmatch(local))


@lru_cache(4096)
def _domain(domain: str) -> str:
    return validate_email(f"x@{domain}", check_deliverability=False).domain


Email = Annotated[str, AfterValidator(checked), WithJsonSchema({"type": "string", "format": "email"})]
