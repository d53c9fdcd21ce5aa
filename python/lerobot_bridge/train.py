"""`python -m lerobot_bridge.train ARGUMENTS`: `lerobot-train`, whose log lines of losses are sent as events too.

It is also what `accelerate launch -m` and `torchrun -m` start; only the main process speaks.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any, Dict

from .events import emit, end_with_parent, load_plugin
from .seeds import mixed


class Losses(logging.Handler):
    """Sends the averages that LeRobot logs: the tracker itself, not the text it is printed as."""

    def emit(self, record: logging.LogRecord) -> None:
        tracker: Any = record.msg
        if type(tracker).__name__ != "MetricsTracker":
            return
        values = {name: meter.avg for name, meter in tracker.metrics.items()}
        numbers: Dict[str, Any] = {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}
        emit({"step": int(tracker.steps), **numbers})


def settled(folder: Path) -> None:
    """Takes out of a checkpoint's configuration how the run came there: resumed or not, from which folder."""
    for name, places in (
        ("config.json", {"pretrained_path": None}),
        ("train_config.json", {"policy.pretrained_path": None, "resume": False, "checkpoint_path": None}),
    ):
        file = folder / "pretrained_model" / name
        document = json.loads(file.read_text())
        for path, value in places.items():
            *outer, last = path.split(".")
            inside = document
            for part in outer:
                inside = inside[part]
            inside[last] = value
        file.write_text(json.dumps(document, indent=4) + "\n")


def main() -> None:
    """Trains with LeRobot's own command line.

    One departure: each step draws from a generator seeded by its number. LeRobot restores the state of torch's generator
    when it resumes, but a fresh data loader draws from it at once, so that noise and times would be others from there on.
    """
    import torch
    from lerobot.scripts import lerobot_train

    rank = int(os.environ.get("RANK", "0"))
    seed = 0
    real_seed, real_update = lerobot_train.set_seed, lerobot_train.update_policy
    real_log, real_last = lerobot_train.init_logging, lerobot_train.update_last_checkpoint

    def set_seed(value: int, *args: Any, **kwargs: Any) -> None:
        nonlocal seed
        seed = value
        real_seed(value, *args, **kwargs)

    def update_policy(tracker: Any, *args: Any, **kwargs: Any) -> Any:
        torch.manual_seed(mixed(seed, int(tracker.steps), rank))
        return real_update(tracker, *args, **kwargs)

    def update_last_checkpoint(folder: Path) -> Any:
        settled(Path(folder))
        result = real_last(folder)
        emit({"saved": int(Path(folder).name)})
        return result

    def init_logging(*args: Any, **kwargs: Any) -> None:
        real_log(*args, **kwargs)
        if rank == 0:
            logging.getLogger().addHandler(Losses(level=logging.INFO))

    lerobot_train.set_seed, lerobot_train.update_policy = set_seed, update_policy
    lerobot_train.init_logging, lerobot_train.update_last_checkpoint = init_logging, update_last_checkpoint
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
