"""`python -m lerobot_bridge.fold IN OUT`: a policy with a condition as one without, for LeRobot alone.

The branch "positive" (guidance 1) becomes the policy: pi0's row of the embedding goes into the bias behind the action-time
MLP, pi0.5's through every adaRMS layer of the expert into its bias. Equal to rounding. No branch "any" is left.
"""

import shutil
import sys
from pathlib import Path

import torch

from .condition import CONDITION_FILE, POSITIVE
from .errors import BridgeError


def fold(weights: dict, row: torch.Tensor, kind: str) -> dict:
    """Weights by name in which `row` is added for good. Raises BridgeError("policy") where it has no place."""
    folded = dict(weights)

    def add(name: str, value: torch.Tensor) -> None:
        folded[name] = (weights[name].double() + value.double()).to(weights[name].dtype)

    if kind == "pi0":
        add("model.action_time_mlp_out.bias", row)
        return folded
    inside = "model.paligemma_with_expert.gemma_expert."
    layers = [n[: -len(".weight")] for n in weights if n.startswith(inside) and n.endswith(".dense.weight")]
    if kind != "pi05" or not layers:
        raise BridgeError("policy", f"Cannot fold a condition into a policy of type {kind}: pi0 and pi05 have a place for it")
    for name in layers:
        add(f"{name}.bias", weights[f"{name}.weight"].double() @ row.double())
    return folded


def main() -> None:
    """Copies the folder IN to OUT with folded weights."""
    import json

    from safetensors.torch import load_file, save_file

    if len(sys.argv) != 3:
        sys.exit("Cannot fold: give two folders, IN and OUT")
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    if not (source / CONDITION_FILE).is_file():
        sys.exit(f"Cannot fold {source}: it has no {CONDITION_FILE}; LeRobot loads it as it is")
    shutil.copytree(source, target, ignore=lambda *_: [CONDITION_FILE])
    kind = json.loads((source / "config.json").read_text())["type"]
    row = load_file(str(source / CONDITION_FILE))["condition"][POSITIVE]
    weights = load_file(str(source / "model.safetensors"))
    save_file(fold(weights, row, kind), str(target / "model.safetensors"), metadata={"format": "pt"})


if __name__ == "__main__":
    main()
