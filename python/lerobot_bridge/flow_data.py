"""A LeRobot data set as batches for weighted flow matching: chunks with padding, weights and positives.

Columns beside LeRobot's own: `weight` (0 or more), `is_positive` (0 or 1), `is_start` (1 where a window starts; all frames
where there is no such column) and `advantage`, one number a frame; they are written by whoever computed them, so that
advantages and windows are made in one place (stages/lerobot_weights.ts).
"""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import torch
from torch import Tensor

from .errors import BridgeError
from .seeds import mixed

COLUMNS = {"cfg": ("weight", "is_positive"), "weighted": ("weight",)}


class FlowData:
    """Frames of a data set, drawn without replacement in an order that seed and epoch decide."""

    def __init__(self, root: str, horizon: int, method: str) -> None:
        """Opens a data set, and looks at its columns first. Raises BridgeError("data")."""
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        if not (Path(root) / "meta" / "info.json").is_file():
            raise BridgeError("data", f"Cannot read the data set {root}: it has no meta/info.json")
        meta = _metadata(root)
        missing = [name for name in ("action", *COLUMNS[method]) if name not in meta.features]
        if missing:
            raise BridgeError(
                "data", f"Cannot train {method} on {root}: it has no column {missing[0]}, but {', '.join(sorted(meta.features))}"
            )
        seconds = [i / meta.fps for i in range(horizon)]
        self._data = LeRobotDataset(meta.repo_id, root=root, delta_timestamps={"action": seconds}, video_backend="pyav")
        self.stats = self._data.meta.stats
        self._starts = self._find_starts(meta)
        self._check(root, method)

    def __len__(self) -> int:
        return len(self._starts)

    def _column(self, name: str) -> Tensor:
        """A column at the frames where windows start."""
        values = torch.as_tensor(self._data.hf_dataset.with_format("numpy")[name][:]).flatten()
        return values[self._starts]

    def _find_starts(self, meta: Any) -> Tensor:
        everywhere = torch.arange(len(self._data))
        if "is_start" not in meta.features:
            return everywhere
        flags = torch.as_tensor(self._data.hf_dataset.with_format("numpy")["is_start"][:]).flatten()
        return everywhere[flags > 0]

    def _check(self, root: str, method: str) -> None:
        weight = self._column("weight")
        if not bool(torch.isfinite(weight).all()) or bool((weight < 0).any()):
            raise BridgeError("data", f"Cannot train on {root}: column weight has numbers that are negative or not finite")
        if method == "cfg":
            positive = self._column("is_positive")
            if not bool(((positive == 0) | (positive == 1)).all()):
                raise BridgeError("data", f"Cannot train on {root}: column is_positive has numbers beside 0 and 1")
            weight = weight * positive
        if not bool((weight > 0).any()):
            raise BridgeError("data", f"Cannot train {method} on {root}: no frame has a positive weight, so nothing is to learn")

    def indices(self, seed: int, batch: int, start: int) -> Iterator[List[int]]:
        """Minibatches of frames from number `start` on, for ever: epochs are permutations, a last incomplete one is left out."""
        whole = max(1, len(self) // batch)
        step = start
        while True:
            epoch, inside = divmod(step, whole)
            order = torch.randperm(len(self), generator=torch.Generator().manual_seed(mixed(seed, epoch, 1)))
            for number in range(inside, whole):
                yield self._starts[order[number * batch : (number + 1) * batch]].tolist()
                step += 1

    def batch(self, indices: List[int]) -> Tuple[Dict[str, Any], Dict[str, Tensor]]:
        """What preprocessors take, and beside it `weight` [B], `is_positive` [B], `mask` [B, H] (1: a real step)."""
        items = [self._data[i] for i in indices]
        joined: Dict[str, Any] = {}
        for name, value in items[0].items():
            if isinstance(value, Tensor):
                stacked = torch.stack([item[name] for item in items])
                joined[name] = stacked.float() / 255 if stacked.dtype == torch.uint8 else stacked
            else:
                joined[name] = [item[name] for item in items]
        rows = len(items)
        aside = {"mask": (~joined.pop("action_is_pad")).float()}
        for name in ("weight", "is_positive", "is_start", "advantage"):
            if name in joined:
                aside[name] = joined.pop(name).float().reshape(rows)
        return joined, aside


def _metadata(root: str) -> Any:
    from lerobot.datasets.dataset_metadata import LeRobotDatasetMetadata

    return LeRobotDatasetMetadata("local/data", root=root)


def noise_and_time(config: Any, rows: int, seed: int, step: int) -> Tuple[Tensor, Tensor]:
    """ε ~ N(0, I) [B, H, D] and t [B] of a step: t ~ Beta(α, 1) · scale + offset, by α's inverse distribution function."""
    if config.time_sampling_beta_beta != 1.0:
        raise BridgeError("policy", f"Cannot draw times of Beta(., {config.time_sampling_beta_beta}): only Beta(., 1) is known")
    generator = torch.Generator().manual_seed(mixed(seed, step, 2))
    noise = torch.randn(rows, config.chunk_size, config.max_action_dim, generator=generator)
    uniform = torch.rand(rows, generator=generator)
    time = uniform ** (1 / config.time_sampling_beta_alpha) * config.time_sampling_scale + config.time_sampling_offset
    return noise, time
