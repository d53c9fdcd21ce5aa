"""An opened policy as requests see it: what may be asked, and the chunks that come back."""

from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import torch

from .condition import conditioned_from, model_inputs, sample
from .errors import BridgeError
from .policy import FLOW, LoadedPolicy, Source, observation_batch

MISMATCHES = ("refuse", "policy", "given")


def read_open(request: Mapping[str, Any]) -> Tuple[Source, Optional[float]]:
    """The request to open a policy: where it is, and the guidance s. Raises BridgeError("usage")."""
    texts = {}
    for name in ("path", "norm_stats", "tokenizer", "mismatch", "device"):
        value = request.get(name)
        if value is not None and not isinstance(value, str):
            raise BridgeError("usage", f"Cannot open with {name} {value!r}: wanted text")
        texts[name] = value
    if texts["path"] is None:
        raise BridgeError("usage", "Cannot open a policy: give the path of a folder pretrained_model")
    if texts["mismatch"] not in (None, *MISMATCHES):
        raise BridgeError("usage", f"Cannot open with mismatch {texts['mismatch']!r}: wanted {', '.join(MISMATCHES)}")
    guidance = request.get("guidance")
    if guidance is not None and not (isinstance(guidance, (int, float)) and 0 <= guidance < float("inf")):
        raise BridgeError("usage", f"Cannot open with guidance {guidance!r}: wanted a number of at least 0, or nothing")
    source = Source(
        path=texts["path"],
        norm_stats=texts["norm_stats"],
        mismatch=texts["mismatch"] or "refuse",
        tokenizer=texts["tokenizer"],
        device=texts["device"] or "cpu",
    )
    return source, guidance


class Served:
    """A policy that draws chunks for batches of observations."""

    def __init__(self, source: Source, guidance: Optional[float]) -> None:
        torch.use_deterministic_algorithms(True, warn_only=True)
        self._loaded = LoadedPolicy(source)
        self._guidance = guidance
        if guidance is not None or self._loaded.kind in ("pi0", "pi05"):
            self._conditioned = conditioned_from(self._loaded.policy, source.path)

    def describe(self) -> Dict[str, Any]:
        """What a client should know of the policy."""
        return {**self._loaded.describe(), "guidance": self._guidance}

    def sample(self, request: Mapping[str, Any]) -> np.ndarray:
        """Chunks in physical units: [B, H, A], or [B, N, H, A] where the noise is [B, N, H, D]."""
        observation, tasks = self._read_observation(request)
        rows = len(tasks)
        noise = self._read_noise(request.get("noise"), rows)
        steps = request.get("steps")
        if steps is not None and not (isinstance(steps, int) and 1 <= steps <= 1000):
            raise BridgeError("usage", f"Cannot sample in {steps!r} steps: wanted 1 to 1000, or nothing")
        with torch.no_grad():
            batch = self._loaded.preprocessor(observation_batch(observation, tasks))
            chunk = self._chunk(batch, noise, steps)
            chunk = chunk[..., : self._loaded.action_width]
            flat = chunk.reshape(-1, *chunk.shape[-2:])
            actions = self._loaded.postprocessor(flat).reshape(chunk.shape)
        drawn = actions.detach().float().cpu().numpy()
        if not np.isfinite(drawn).all():
            raise BridgeError("policy", "Cannot use the chunk that was drawn: not all of its numbers are finite")
        many = request.get("noise") is not None and np.ndim(request["noise"]) == 4
        return drawn if many else drawn[:, 0]

    def _chunk(self, batch: Dict[str, Any], noise: Optional[torch.Tensor], steps: Optional[int]) -> torch.Tensor:
        loaded = self._loaded
        if noise is None:  # ACT
            return loaded.policy.predict_action_chunk(batch)[:, None]
        if loaded.kind in ("pi0", "pi05"):
            return sample(self._conditioned, model_inputs(loaded.policy, batch), noise, self._guidance, steps)
        # smolvla: a batch has one task a row, so draws are taken one after the other
        if steps is not None:
            loaded.policy.model.config.num_steps = steps
        draws = [loaded.policy.predict_action_chunk(batch, noise=noise[:, i]) for i in range(noise.shape[1])]
        return torch.stack(draws, dim=1)

    def _read_observation(self, request: Mapping[str, Any]) -> Tuple[Dict[str, np.ndarray], List[str]]:
        observation, tasks = request.get("observation"), request.get("tasks")
        if not isinstance(observation, dict) or not isinstance(tasks, list) or not tasks:
            raise BridgeError("usage", "Cannot sample: give a map observation and a list tasks, one text for each row")
        expected = self._loaded.config.input_features
        given: Dict[str, np.ndarray] = {}
        for name, value in observation.items():
            if name not in expected:
                raise BridgeError("usage", f"Cannot sample with {name}: this policy reads {', '.join(sorted(expected))}")
            if not isinstance(value, np.ndarray) or value.shape[:1] != (len(tasks),):
                raise BridgeError("usage", f"Cannot sample with {name}: wanted an array of {len(tasks)} rows")
            visual = expected[name].type.value == "VISUAL"
            width = expected[name].shape
            if visual != (value.dtype == np.uint8 and value.ndim == 4 and value.shape[3] == 3):
                wanted = "pictures [B, h, w, 3] of bytes" if visual else "numbers"
                raise BridgeError("usage", f"Cannot sample with {name} of shape {list(value.shape)}: wanted {wanted}")
            if not visual and value.shape[1:] != tuple(width):
                raise BridgeError("usage", f"Cannot sample with {name} of shape {list(value.shape)}: wanted [B, {width[0]}]")
            given[name] = value
        # A camera that is not given is one that pi0 and pi0.5 mask; a state is never left out.
        missing = [n for n, f in expected.items() if n not in given and f.type.value != "VISUAL"]
        if missing:
            raise BridgeError("usage", f"Cannot sample without {missing[0]}: this policy reads {', '.join(sorted(expected))}")
        return given, tasks

    def _read_noise(self, noise: Any, rows: int) -> Optional[torch.Tensor]:
        loaded = self._loaded
        if loaded.kind not in FLOW:
            if noise is not None:
                raise BridgeError("usage", f"Cannot send noise to a policy of type {loaded.kind}: it draws none")
            return None
        wanted = f"[{rows}, {loaded.horizon}, {loaded.noise_width}], or [{rows}, N, {loaded.horizon}, {loaded.noise_width}]"
        if not isinstance(noise, np.ndarray):
            raise BridgeError("usage", f"Cannot sample without noise: wanted {wanted}, so that a chunk can be drawn again")
        array = noise[:, None] if noise.ndim == 3 else noise
        if array.ndim != 4 or array.shape[0] != rows or array.shape[2:] != (loaded.horizon, loaded.noise_width):
            raise BridgeError("usage", f"Cannot sample with noise of shape {list(noise.shape)}: wanted {wanted}")
        return torch.from_numpy(np.array(array, np.float32)).to(loaded.config.device)
