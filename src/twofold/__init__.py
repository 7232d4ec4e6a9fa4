"""One declaration of a resource; a durable command service and a fast query service, with nothing lost in between."""

from twofold.errors import Refused
from twofold.fields import Column, Guarded, Keyword, Password, Places, Secret, Text, Unique
from twofold.resource import App, Context, Resource, command

__version__ = "0.1.0"

__all__ = [
    "App",
    "Column",
    "Context",
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
