"""Files as people have them: one module a format, each gives the typed records of ``unimo.data.records``."""
