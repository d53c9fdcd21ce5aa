"""`python -m lerobot_bridge.train ARGUMENTS`: `lerobot-train`, whose log lines of losses are sent as events too.

It is also what `accelerate launch -m` and `torchrun -m` start; only the main process speaks.
"""

import logging
import os
import sys
from typing import Any, Dict

from .events import emit, end_with_parent, load_plugin


class Losses(logging.Handler):
    """Sends the averages that LeRobot logs: the tracker itself, not the text it is printed as."""

    def emit(self, record: logging.LogRecord) -> None:
        tracker: Any = record.msg
        if type(tracker).__name__ != "MetricsTracker":
            return
        values = {name: meter.avg for name, meter in tracker.metrics.items()}
        numbers: Dict[str, Any] = {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}
        emit({"step": int(tracker.steps), **numbers})


def main() -> None:
    """Trains with LeRobot's own command line."""
    from lerobot.scripts import lerobot_train

    checkpointed = lerobot_train.update_last_checkpoint

    def announced(folder: Any) -> Any:
        result = checkpointed(folder)
        emit({"saved": int(folder.name)})
        return result

    lerobot_train.update_last_checkpoint = announced
    real = lerobot_train.init_logging

    def with_losses(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        if int(os.environ.get("RANK", "0")) == 0:
            logging.getLogger().addHandler(Losses(level=logging.INFO))

    lerobot_train.init_logging = with_losses
    lerobot_train.main()


if __name__ == "__main__":
    end_with_parent()
    try:
        load_plugin()
        main()
    except (ValueError, FileNotFoundError, FileExistsError, NotImplementedError) as error:
        # LeRobot's own words, without the traceback around them.
        emit({"error": " ".join(f"{error}".split()), "kind": "usage"})
        sys.exit(1)
