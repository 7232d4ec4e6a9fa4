"""`twofold bench`: how fast an app is on its engines. Load comes from wrk; roles are real processes; names are the run's own.

The project's own benchmark (`benchmarks/`, `make bench`) is made of the same parts.
"""
