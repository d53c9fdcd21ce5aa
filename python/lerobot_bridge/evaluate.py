"""`python -m lerobot_bridge.evaluate ARGUMENTS`: `lerobot-eval`, which ends with its parent and says errors in one line."""

import sys

from .events import emit, end_with_parent, load_plugin


def main() -> None:
    """Evaluates with LeRobot's own command line."""
    from lerobot.scripts import lerobot_eval

    lerobot_eval.main()


if __name__ == "__main__":
    end_with_parent()
    try:
        load_plugin()
        main()
    except (ValueError, FileNotFoundError, ImportError) as error:
        emit({"error": " ".join(f"{error}".split()), "kind": "usage"})
        sys.exit(1)
