"""The Python side of Gymnasium environments: one environment a process, spoken to over framed messages (README.md)."""
