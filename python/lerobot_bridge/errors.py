"""The one exception whose message is meant for a user's eyes."""

from worker_process.errors import WorkerError


class BridgeError(WorkerError):
    """A failure with a known cause: "usage" (the request), "policy" (the checkpoint), "data" (the data set, its statistics)."""
