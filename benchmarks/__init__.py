"""`make bench`: twofold on real engines and on the embedded default, beside what it is compared with, in one run and one table."""
