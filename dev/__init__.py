"""Tools for developing twofold; nothing in here is part of the package."""
