"""Tiny random policies and data sets, for tests: pi0 and pi0.5 with a few thousand weights, no download.

Importing this module (the bridge does it where UPLIFT_LEROBOT_PLUGIN names it) makes "gemma_2b" and "gemma_300m" mean
networks of width 16, for this process alone.
"""

import json
import sys
from pathlib import Path
from typing import Any, Dict

import numpy as np

WIDTH, VOCABULARY, SIDE = 16, 512, 28
CAMERAS = ("observation.images.image", "observation.images.image2")
STATE, ACTION, HORIZON = 8, 7, 6


def shrink() -> None:
    """Makes pi0 and pi0.5 tiny in this process."""
    from lerobot.policies.pi0 import modeling_pi0
    from lerobot.policies.pi05 import modeling_pi05

    for module in (modeling_pi0, modeling_pi05):
        if getattr(module, "_tiny", False):
            continue
        module._tiny = True
        config, pali, gemma = module.GemmaConfig, module.PaliGemmaForConditionalGenerationWithPiGemma, module.PiGemmaForCausalLM
        # Eight heads: compute_layer_complete has the number in it.
        module.get_gemma_config = lambda _, config=config: config(
            width=WIDTH, depth=2, mlp_dim=32, num_heads=8, num_kv_heads=1, head_dim=8
        )
        module.PaliGemmaForConditionalGenerationWithPiGemma = lambda config, make=pali: make(config=_small_vlm(config))
        module.PiGemmaForCausalLM = lambda config, make=gemma: make(config=_small_text(config))


def _small_text(config: Any) -> Any:
    config.vocab_size = VOCABULARY
    config.pad_token_id = 0
    return config


def _small_vlm(config: Any) -> Any:
    vision = config.vision_config
    vision.hidden_size, vision.intermediate_size = WIDTH, 32
    vision.num_hidden_layers, vision.num_attention_heads = 1, 2
    vision.projection_dim = WIDTH
    config.projection_dim = WIDTH
    _small_text(config.text_config)
    config._vocab_size = VOCABULARY
    config.image_token_index = VOCABULARY - 1
    return config


def make_tokenizer(folder: Path) -> Path:
    """A tokenizer of bytes, as a folder that AutoTokenizer reads."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<bos>", "<unk>", *alphabet])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Split("", "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", unk_token="<unk>")
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(str(folder))
    return folder


def settings(kind: str) -> Dict[str, Any]:
    """The configuration of a tiny policy, as keyword arguments of its class."""
    common: Dict[str, Any] = {"device": "cpu", "chunk_size": HORIZON, "n_action_steps": HORIZON, "push_to_hub": False}
    if kind in ("pi0", "pi05"):
        return {**common, "image_resolution": (SIDE, SIDE), "tokenizer_max_length": 64, "num_inference_steps": 4}
    return {
        **common,
        **{"dim_model": 16, "n_heads": 2, "dim_feedforward": 32, "n_encoder_layers": 1, "n_decoder_layers": 1},
        **{"latent_dim": 4, "n_vae_encoder_layers": 1, "pretrained_backbone_weights": None},
    }


def make_dataset(folder: Path, episodes: int = 3, length: int = 9, seed: int = 0, columns: bool = True) -> Path:
    """A LeRobot data set of random numbers, written by LeRobot; `columns` adds advantage, weight and is_positive."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    random = np.random.default_rng(seed)
    features: Dict[str, Any] = {
        name: {"dtype": "image", "shape": (32, 32, 3), "names": ["height", "width", "channel"]} for name in CAMERAS
    }
    features["observation.state"] = {"dtype": "float32", "shape": (STATE,), "names": None}
    features["action"] = {"dtype": "float32", "shape": (ACTION,), "names": None}
    extra = ("advantage", "weight", "is_positive") if columns else ()
    for name in extra:
        features[name] = {"dtype": "float32", "shape": (1,), "names": None}
    data = LeRobotDataset.create("local/tiny", fps=10, features=features, root=folder, use_videos=False)
    for episode in range(episodes):
        advantage = float(episode % 2) - 0.25
        for _ in range(length):
            frame: Dict[str, Any] = {name: random.integers(0, 255, (32, 32, 3), dtype=np.uint8) for name in CAMERAS}
            frame["observation.state"] = random.normal(size=STATE).astype(np.float32)
            frame["action"] = random.uniform(-1, 1, ACTION).astype(np.float32)
            for name, value in zip(extra, (advantage, max(advantage, 0.0), float(advantage > 0))):
                frame[name] = np.array([value], np.float32)
            data.add_frame({**frame, "task": f"put block {episode} away"})
        data.save_episode()
    data.finalize()
    return folder


def make_policy(kind: str, folder: Path, tokenizer: Path, stats: Dict[str, Any], seed: int = 0) -> Path:
    """A random policy with its processors, saved as LeRobot saves one."""
    import torch
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors
    from lerobot.processor import TokenizerProcessorStep

    shrink()
    config = make_policy_config(kind, **settings(kind))
    config.input_features = {name: PolicyFeature(FeatureType.VISUAL, (3, 32, 32)) for name in CAMERAS}
    config.input_features["observation.state"] = PolicyFeature(FeatureType.STATE, (STATE,))
    config.output_features = {"action": PolicyFeature(FeatureType.ACTION, (ACTION,))}
    torch.manual_seed(seed)
    policy = get_policy_class(kind)(config)
    with torch.no_grad():
        for parameter in policy.parameters():  # LeRobot starts some at zero, among them what makes adaRMS act
            parameter.add_(0.05 * torch.randn_like(parameter))
    with _local_tokenizer(tokenizer):
        before, after = make_pre_post_processors(config, dataset_stats=stats)
    for step in before.steps:
        if isinstance(step, TokenizerProcessorStep):
            step.tokenizer_name, step.tokenizer = str(tokenizer), None
    policy.save_pretrained(folder)
    before.save_pretrained(folder)
    after.save_pretrained(folder)
    return folder


class _local_tokenizer:
    """Fresh processors of pi0 and pi0.5 name a tokenizer of the hub: here it is the local one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        from lerobot.processor import tokenizer_processor

        self._real = tokenizer_processor.AutoTokenizer
        real, folder = self._real, str(self._folder)

        class Local:
            @staticmethod
            def from_pretrained(*_: Any, **__: Any) -> Any:
                return real.from_pretrained(folder)

        tokenizer_processor.AutoTokenizer = Local

    def __exit__(self, *_: Any) -> None:
        from lerobot.processor import tokenizer_processor

        tokenizer_processor.AutoTokenizer = self._real


def main() -> None:
    """`python -m lerobot_bridge.tiny FOLDER`: data, tokenizer, policies pi0, pi05 and act; prints where they are."""
    folder = Path(sys.argv[1])
    tokenizer = make_tokenizer(folder / "google" / "paligemma-3b-pt-224")
    dataset = make_dataset(folder / "data")
    stats = {k: {n: np.asarray(v) for n, v in e.items()} for k, e in json.loads((dataset / "meta/stats.json").read_text()).items()}
    made = {kind: str(make_policy(kind, folder / kind, tokenizer, stats)) for kind in ("pi0", "pi05", "act")}
    print(json.dumps({"dataset": str(dataset), "tokenizer": str(tokenizer), **made}))


shrink()

if __name__ == "__main__":
    main()
