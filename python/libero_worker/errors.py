"""The one exception whose message is meant for a user's eyes."""


class WorkerError(Exception):
    """A failure with a known cause.

    `kind` is "usage", "assets", "import" or "render"; the message is one line that ends with what mends it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.kind = kind
