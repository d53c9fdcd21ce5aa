"""The Python side of the LIBERO environment: one simulator process, spoken to over framed messages (README.md)."""
