"""The one exception whose message is meant for a user's eyes."""


class BridgeError(Exception):
    """A failure with a known cause.

    `kind` is "usage" (the request), "policy" (the checkpoint), "data" (the data set or its statistics); the message is
    one line that ends with what mends it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.kind = kind
