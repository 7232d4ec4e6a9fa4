"""Import: files of other systems, and of our own exports, as commands."""
