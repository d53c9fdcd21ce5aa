"""The one exception whose message is meant for a user's eyes."""


class WorkerError(Exception):
    """A failure with a known cause.

    `kind` is one of the words that the package's README lists; the message is one line that ends with what mends it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.kind = kind
