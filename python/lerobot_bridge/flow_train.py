"""`python -m lerobot_bridge.flow_train SETTINGS.json`: trains pi0 or pi0.5 with weights and a condition.

Settings: `policy` (a folder pretrained_model), `dataset` (a LeRobot data set), `norm_stats` (JSON; null: the data set's),
`mismatch`, `tokenizer`, `device`, `method` ("cfg" or "weighted"), `unconditional` (α), `steps`, `batch`, `seed`, `warmup`,
`decayTo`, `weightDecay`, `model` and `header` ({learningRate, clipNorm}), `headerWeights` (names that lie in group header),
`saveEvery`, `output` (folder). Beside the result, output/pretrained_model, it keeps output/state to go on from: a run that
was killed continues there, and ends in the bytes of one that was not.
"""

import json
import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, List

import torch

from .condition import conditioned_from, model_inputs
from .errors import BridgeError
from .events import emit, end_with_parent, load_plugin
from .flow_data import FlowData, noise_and_time
from .flow_loss import step_loss
from .policy import LoadedPolicy, Source, assert_loaded

BETAS, EPSILON = (0.9, 0.95), 1e-8


class Trainer:
    """A policy, its data and its optimiser."""

    def __init__(self, settings: Dict[str, Any]) -> None:
        self.s = settings
        torch.manual_seed(settings["seed"])
        torch.use_deterministic_algorithms(True, warn_only=True)
        self.output = Path(settings["output"])
        self.state = self.output / "state"
        self.step = 0
        resumed = self.state.is_dir()
        source = Source(
            path=settings["policy"],
            norm_stats=settings["norm_stats"] or str(Path(settings["dataset"]) / "meta" / "stats.json"),
            mismatch=settings["mismatch"],
            tokenizer=settings["tokenizer"],
            device=settings["device"],
        )
        self.loaded = LoadedPolicy(source)
        if self.loaded.kind not in ("pi0", "pi05"):
            raise BridgeError("policy", f"Cannot train a policy of type {self.loaded.kind} this way: wanted pi0 or pi05")
        self.policy = self.loaded.policy
        self.conditioned = conditioned_from(self.policy, str(self.state) if resumed else settings["policy"])
        self.data = FlowData(settings["dataset"], self.loaded.horizon, settings["method"])
        if resumed:
            self._resume()
        self.groups = self._groups()
        self.optimizer = torch.optim.AdamW(
            [{"params": parameters, "lr": 0.0} for parameters in self.groups.values()],
            betas=BETAS,
            eps=EPSILON,
            weight_decay=settings["weightDecay"],
        )
        if resumed:
            stored = torch.load(self.state / "optimizer.pt", map_location="cpu", weights_only=True)
            self.optimizer.load_state_dict(stored)

    def _groups(self) -> Dict[str, List[torch.nn.Parameter]]:
        """Group header: the condition, and what the settings name; group model: the rest. Raises BridgeError("usage")."""
        named = [(name, p) for name, p in self.policy.named_parameters() if p.requires_grad]
        inside = [name for name, _ in named if any(part in name.split(".") for part in self.s["headerWeights"])]
        header = [p for name, p in named if name in inside]
        condition = [self.conditioned.embedding] if self.s["method"] == "cfg" else []
        groups = {"model": [p for name, p in named if name not in inside], "header": header + condition}
        for name, parameters in groups.items():
            if not parameters:
                raise BridgeError("usage", f"Cannot train an empty parameter group {name}: header is {self.s['headerWeights']}")
        return groups

    def _share(self) -> float:
        """Share of the peak learning rates: linear growth, then half a cosine (nn/parameter_groups.ts)."""
        warmup, steps = self.s["warmup"], self.s["steps"]
        rising = 1.0 if warmup == 0 else min(self.step / warmup, 1.0)
        progress = min(max(self.step - warmup, 0) / max(1, steps - warmup), 1.0)
        low = self.s["decayTo"]
        return rising * (low + (1 - low) / 2 * (1 + math.cos(math.pi * progress)))

    def update(self, indices: List[int]) -> Dict[str, float]:
        """One gradient step on some frames."""
        device = self.s["device"]
        raw, aside = self.data.batch(indices)
        batch = self.loaded.preprocessor(raw)
        aside = {name: value.to(device) for name, value in aside.items()}
        noise, time = (x.to(device) for x in noise_and_time(self.policy.config, len(indices), self.s["seed"], self.step))
        inputs = model_inputs(self.policy, batch)
        actions = self.policy.prepare_action(batch)
        self.policy.train()
        self.optimizer.zero_grad(set_to_none=True)
        metrics = step_loss(
            *(self.conditioned, self.s["method"], self.s["unconditional"]),
            *(inputs, actions, noise, time, aside),
            backward=lambda loss: loss.backward(),
        )
        share = self._share()
        for (name, parameters), group in zip(self.groups.items(), self.optimizer.param_groups):
            metrics[f"{name}_gradient_norm"] = float(torch.nn.utils.clip_grad_norm_(parameters, self.s[name]["clipNorm"]))
            group["lr"] = self.s[name]["learningRate"] * share
        if not math.isfinite(metrics["loss"]):
            raise BridgeError("data", f"Cannot go on after step {self.step}: the loss is {metrics['loss']}")
        self.optimizer.step()
        self.step += 1
        return metrics

    def run(self) -> None:
        """All steps that are left; then the result."""
        steps, batch = self.s["steps"], self.s["batch"]
        if len(self.data) < batch:
            raise BridgeError("data", f"Cannot draw minibatches of {batch}: the data set has {len(self.data)} frames")
        emit({"start": self.step, "steps": steps, "frames": len(self.data), "policy": self.loaded.describe()})
        for indices in self.data.indices(self.s["seed"], batch, self.step):
            if self.step >= steps:
                break
            emit({"step": self.step, **self.update(indices)})
            if self.step % self.s["saveEvery"] == 0 and self.step < steps:
                self._save_state()
        self._save_policy(self.output / "pretrained_model")
        shutil.rmtree(self.state, ignore_errors=True)
        emit({"done": self.step})

    def _save_policy(self, folder: Path) -> None:
        _replace(folder, self._write_policy)

    def _write_policy(self, folder: Path) -> None:
        self.policy.save_pretrained(folder)
        self.loaded.preprocessor.save_pretrained(folder)
        self.loaded.postprocessor.save_pretrained(folder)
        if self.s["method"] == "cfg" or (Path(self.s["policy"]) / "condition.safetensors").is_file():
            self.conditioned.save(folder)

    def _save_state(self) -> None:
        def write(folder: Path) -> None:
            self._write_policy(folder)
            self.conditioned.save(folder)
            torch.save(self.optimizer.state_dict(), folder / "optimizer.pt")
            (folder / "step.json").write_text(json.dumps({"step": self.step}))

        _replace(self.state, write)
        emit({"saved": self.step})

    def _resume(self) -> None:
        from safetensors.torch import load_model

        self.step = json.loads((self.state / "step.json").read_text())["step"]
        load_model(self.policy, str(self.state / "model.safetensors"))
        assert_loaded(self.policy, self.state / "model.safetensors")


def _replace(folder: Path, write: Any) -> None:
    """Writes a folder aside, then puts it in its place: a kill leaves the old one or the new one."""
    fresh, old = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    write(fresh)
    if folder.exists():
        os.rename(folder, old)
    os.rename(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    """Trains by the settings in the file named on the command line; a failure with a known cause is one line."""
    end_with_parent()
    try:
        load_plugin()
        Trainer(json.loads(Path(sys.argv[1]).read_text())).run()
    except BridgeError as error:
        emit({"error": str(error), "kind": error.kind})
        sys.exit(1)


if __name__ == "__main__":
    main()
