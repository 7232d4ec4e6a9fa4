"""One declaration of a resource; a durable command service and a fast query service, with nothing lost in between."""

from importlib import import_module

from twofold.declared import Document
from twofold.emails import Email
from twofold.errors import Refused
from twofold.fields import Column, Guarded, Keyword, Password, Places, Secret, Text, Unique
from twofold.opening import open_system
from twofold.resource import App, Context, Resource
from twofold.resource import command as _command

import_module("twofold.command")  # now, since its first import puts the package in the place of the decorator
command = _command
open = open_system  # noqa: A001 - in a namespace of its own, as gzip.open is; not in __all__, so that a * takes no builtin away

__version__ = "0.1.0"

__all__ = [
    "App",
    "Column",
    "Context",
    "Document",
    "Email",
    "Guarded",
    "Keyword",
    "Password",
    "Places",
    "Refused",
    "Resource",
    "Secret",
    "Text",
    "Unique",
    "command",
]
