"""A LeRobot policy with its processors: loaded, checked, asked for chunks in physical units."""

import importlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from .errors import BridgeError
from .normalization import Stats, differences, modes_of, read_stats

# Types whose chunks are drawn from noise; of the others only "act" is known to work.
FLOW = ("pi0", "pi05", "smolvla")
KNOWN = (*FLOW, "act")
MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class Source:
    """Which checkpoint, and under which conditions it is used."""

    # A folder "pretrained_model".
    path: str
    # Statistics of the data it is used on, a JSON file; None: take the policy's word.
    norm_stats: Optional[str]
    # When they differ: "refuse", "policy" (keep the policy's own) or "given" (replace them).
    mismatch: str = "refuse"
    # Folder of the tokenizer; None: where the checkpoint's processor says.
    tokenizer: Optional[str] = None
    device: str = "cpu"


class LoadedPolicy:
    """A policy, its pre- and postprocessor, and the statistics in them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.config = read_config(source)
        self.policy = load_weights(source.path, self.config)
        self.preprocessor, self.postprocessor = make_processors(source, self.config)
        self.stats = stats_of(self.preprocessor)
        self.stats_used = "the policy's"
        if source.norm_stats is not None:
            self._match(read_stats(source.norm_stats))

    @property
    def kind(self) -> str:
        """The type that LeRobot knows it by: pi0, pi05, smolvla, act."""
        return self.config.type

    @property
    def horizon(self) -> int:
        """Actions H of a chunk."""
        return int(self.config.chunk_size)

    @property
    def action_width(self) -> int:
        """Numbers of an action."""
        return int(self.config.output_features["action"].shape[0])

    @property
    def noise_width(self) -> int:
        """Numbers of an action's noise: padded; 0 where there is no noise."""
        return int(self.config.max_action_dim) if self.kind in FLOW else 0

    def modes(self) -> Dict[str, str]:
        """How each vector is normalised."""
        features = {**self.config.input_features, **self.config.output_features}
        kinds = [(name, feature.type.value) for name, feature in features.items()]
        return modes_of(kinds, self.config.normalization_mapping)

    def describe(self) -> Dict[str, Any]:
        """What a client should know of it."""
        inputs = self.config.input_features
        return {
            "type": self.kind,
            "horizon": self.horizon,
            "action_width": self.action_width,
            "noise_width": self.noise_width,
            "images": {name: list(f.shape) for name, f in inputs.items() if f.type.value == "VISUAL"},
            "state_width": int(inputs["observation.state"].shape[0]) if "observation.state" in inputs else 0,
            "steps": int(getattr(self.config, "num_inference_steps", getattr(self.config, "num_steps", 0))),
            "normalization": self.modes(),
            "statistics": self.stats_used,
            "device": str(self.config.device),
        }

    def _match(self, given: Stats) -> None:
        found = differences(self.stats, given, self.modes())
        if not found:
            self.stats_used = "equal"
            return
        source = self.source
        if source.mismatch == "refuse":
            raise BridgeError(
                "data",
                f"Cannot use {source.path} with the statistics {source.norm_stats}: {'; '.join(found)}; give those of its "
                'training data, or set mismatch to "policy" or "given"',
            )
        if source.mismatch == "policy":
            return
        self.preprocessor, self.postprocessor = make_processors(source, self.config, given)
        self.stats, self.stats_used = stats_of(self.preprocessor), "given"


def read_config(source: Source) -> Any:
    """The policy's configuration, on the wanted device. Raises BridgeError("policy")."""
    from lerobot.configs import PreTrainedConfig
    from lerobot.policies import factory  # registers the types  # noqa: F401

    folder = Path(source.path)
    for name in ("config.json", MODEL_FILE, "policy_preprocessor.json", "policy_postprocessor.json"):
        if not (folder / name).is_file():
            raise BridgeError("policy", f"Cannot load a policy from {folder}: it has no {name}; name a folder pretrained_model")
    try:
        kind = json.loads((folder / "config.json").read_text()).get("type")
    except ValueError as error:
        raise BridgeError("policy", f"Cannot load a policy from {folder}: config.json is damaged") from error
    if kind not in KNOWN:
        raise BridgeError("policy", f"Cannot load a policy of type {kind!r}: known are {', '.join(KNOWN)}")
    config = PreTrainedConfig.from_pretrained(str(folder), local_files_only=True)
    config.device = source.device
    if getattr(config, "compile_model", False):
        config.compile_model = False  # the condition hooks into functions that torch.compile would have frozen
    return config


def load_weights(path: str, config: Any) -> Any:
    """The policy, every weight as in its file: pi0's and pi0.5's own loader goes on with random ones where it fails."""
    from lerobot.policies.factory import get_policy_class

    policy = get_policy_class(config.type).from_pretrained(path, config=config)
    assert_loaded(policy, Path(path) / MODEL_FILE)
    policy.eval()
    return policy


def assert_loaded(policy: Any, file: Path) -> None:
    """Compares all weights with their file. Raises BridgeError("policy")."""
    import torch
    from safetensors import safe_open

    state = policy.state_dict()
    # Tied weights are stored once.
    pointers: Dict[int, List[str]] = {}
    for name, tensor in state.items():
        pointers.setdefault(tensor.data_ptr(), []).append(name)
    seen = set()
    try:
        with safe_open(str(file), framework="pt") as stored:
            for name in stored.keys():
                inside = name if name in state else f"model.{name}"
                if inside not in state:
                    continue
                value = stored.get_tensor(name)
                ours = state[inside].cpu()
                if ours.shape == value.shape and torch.equal(ours, value.to(ours.dtype)):
                    seen.update(pointers[state[inside].data_ptr()])
    except Exception as error:
        raise BridgeError("policy", f"Cannot load the weights {file}: {error}") from error
    missing = sorted(set(state) - seen)
    if missing:
        raise BridgeError(
            "policy",
            f"Cannot load the weights {file}: {len(missing)} of {len(state)} are not in it or do not fit, the first "
            f"is {missing[0]}",
        )


def make_processors(source: Source, config: Any, stats: Optional[Stats] = None) -> Any:
    """The pre- and postprocessor stored beside the weights, with other statistics where some are given."""
    from lerobot.policies.factory import make_pre_post_processors

    importlib.import_module(type(config).__module__.replace("configuration_", "processor_"))
    before: Dict[str, Any] = {"device_processor": {"device": source.device}}
    after: Dict[str, Any] = {}
    steps = {
        step.get("registry_name"): step.get("config", {})
        for step in json.loads((Path(source.path) / "policy_preprocessor.json").read_text()).get("steps", [])
    }
    if "tokenizer_processor" in steps:
        name = source.tokenizer or steps["tokenizer_processor"].get("tokenizer_name")
        if not Path(str(name)).is_dir() and os.environ.get("HF_HUB_OFFLINE") == "1" and not _cached(str(name)):
            raise BridgeError(
                "policy",
                f"Cannot find the tokenizer {name}: it is neither a folder nor in the hub's cache; give its folder as tokenizer",
            )
        if source.tokenizer is not None:
            before["tokenizer_processor"] = {"tokenizer_name": source.tokenizer}
    if stats is not None:
        before["normalizer_processor"] = {"stats": stats}
        after["unnormalizer_processor"] = {"stats": stats}
    return make_pre_post_processors(
        policy_cfg=config,
        pretrained_path=source.path,
        preprocessor_overrides=before,
        postprocessor_overrides=after,
    )


def _cached(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "tokenizer_config.json"), str)


def stats_of(preprocessor: Any) -> Stats:
    """The statistics of a preprocessor's normaliser."""
    from lerobot.processor import NormalizerProcessorStep

    for step in preprocessor.steps:
        if isinstance(step, NormalizerProcessorStep):
            return {
                feature: {name: value.detach().cpu().numpy() for name, value in entry.items()}
                for feature, entry in step._tensor_stats.items()  # noqa: SLF001
            }
    return {}


def observation_batch(observation: Mapping[str, np.ndarray], tasks: List[str]) -> Dict[str, Any]:
    """What preprocessors take: pictures [B, h, w, 3] uint8 as float [B, 3, h, w] in [0, 1], vectors as they are."""
    import torch

    batch: Dict[str, Any] = {"task": tasks}
    for name, value in observation.items():
        tensor = torch.from_numpy(np.array(value))
        pictures = value.dtype == np.uint8 and value.ndim == 4
        batch[name] = tensor.permute(0, 3, 1, 2).contiguous().float() / 255 if pictures else tensor.float()
    return batch
