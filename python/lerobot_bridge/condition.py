"""A condition o on pi0 and pi0.5, 1 "positive" or 0 "any", and guidance at sampling (CFGRL: v0 + s (v1 - v0)).

The condition is an embedding [2, W], W the width of the action expert, zero in both rows at first: a policy that gets
one stays what it was, bit for bit. pi0 adds row o to the embedding of action and time, after its MLP; pi0.5, where time
goes through adaRMS, adds it to the adaRMS condition. It is no part of the policy's own weights: LeRobot loads those
without it.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .errors import BridgeError

CONDITION_FILE = "condition.safetensors"
POSITIVE, ANY = 1, 0


class Conditioned:
    """A pi0 or pi0.5 policy with a condition. `rows` is o for each row of a batch; None leaves the policy alone."""

    def __init__(self, policy: Any, embedding: Optional[Tensor] = None) -> None:
        if policy.config.type not in ("pi0", "pi05"):
            raise BridgeError("policy", f"Cannot put a condition on a policy of type {policy.config.type}: pi0 and pi05 have a place for it")
        self.policy = policy
        self.model = policy.model
        projection = self.model.action_in_proj.weight
        width = self.model.action_in_proj.out_features
        rows = torch.zeros(2, width) if embedding is None else embedding
        if rows.shape != (2, width):
            raise BridgeError("policy", f"Cannot use a condition of shape {list(rows.shape)}: this policy's is [2, {width}]")
        self.embedding = nn.Parameter(rows.to(projection.device, torch.float32).clone())
        self.rows: Optional[Tensor] = None
        self._plain = self.model.embed_suffix
        self.model.embed_suffix = self._embed_suffix

    def detach(self) -> None:
        """Gives the policy its own function back."""
        self.model.embed_suffix = self._plain

    def _embed_suffix(self, *args: Any) -> Any:
        tokens, pad_masks, attention_masks, ada = self._plain(*args)
        if self.rows is None:
            return tokens, pad_masks, attention_masks, ada
        added = self.embedding[self.rows]
        if ada is not None:
            return tokens, pad_masks, attention_masks, ada + added.to(ada.dtype)
        first = tokens.shape[1] - self.policy.config.chunk_size  # the state's token comes first
        actions = tokens[:, first:] + added[:, None].to(tokens.dtype)
        return torch.cat([tokens[:, :first], actions], dim=1), pad_masks, attention_masks, ada

    def given(self, condition: Optional[int], rows: int) -> "_Given":
        """A `with` block in which `rows` rows have o = `condition`."""
        value = None if condition is None else torch.full((rows,), condition, device=self.embedding.device)
        return _Given(self, value)

    def save(self, folder: Path) -> None:
        """Writes the embedding beside the policy."""
        save_file({"condition": self.embedding.detach().cpu().contiguous()}, str(folder / CONDITION_FILE))


class _Given:
    def __init__(self, conditioned: Conditioned, rows: Optional[Tensor]) -> None:
        self._conditioned, self._rows = conditioned, rows

    def __enter__(self) -> None:
        self._conditioned.rows = self._rows

    def __exit__(self, *_: Any) -> None:
        self._conditioned.rows = None


def conditioned_from(policy: Any, folder: str) -> Conditioned:
    """The policy with the embedding stored beside it, a zero one where there is none."""
    file = Path(folder) / CONDITION_FILE
    return Conditioned(policy, load_file(str(file))["condition"] if file.is_file() else None)


def model_inputs(policy: Any, batch: Dict[str, Any]) -> List[Any]:
    """What `forward` and `sample_actions` of pi0 and pi0.5 take before actions and noise."""
    images, masks = policy._preprocess_images(batch)  # noqa: SLF001
    tokens = batch["observation.language.tokens"], batch["observation.language.attention_mask"]
    state = [policy.prepare_state(batch)] if policy.config.type == "pi0" else []
    return [images, masks, *tokens, *state]


@torch.no_grad()
def sample(
    conditioned: Conditioned, inputs: Sequence[Any], noise: Tensor, guidance: Optional[float], steps: Optional[int]
) -> Tensor:
    """Draws chunks from `noise` [B, N, H, D], N of them for each observation, which is read once. [B, N, H, D].

    `guidance` s: None leaves the condition out, 0 is the branch "any", 1 the branch "positive", one pass each; any other
    number takes both branches, in one batch.
    """
    rows, draws = noise.shape[:2]
    flat = noise.reshape(rows * draws, *noise.shape[2:])
    one = None if guidance is None else int(guidance)
    if draws == 1 and (guidance is None or guidance in (0, 1)):
        with conditioned.given(one, rows):
            return conditioned.model.sample_actions(*inputs, noise=flat, num_steps=steps).reshape(noise.shape)
    branches = [one] if guidance is None or guidance in (0, 1) else [ANY, POSITIVE]
    return _integrate(conditioned, inputs, flat, branches, guidance, steps, draws).reshape(noise.shape)


def _integrate(
    conditioned: Conditioned,
    inputs: Sequence[Any],
    noise: Tensor,
    branches: Sequence[Optional[int]],
    guidance: Optional[float],
    steps: Optional[int],
    draws: int,
) -> Tensor:
    """`sample_actions` of pi0 and pi0.5 with rows (observation, draw, branch) behind one reading of each observation."""
    from lerobot.policies.common.flow_matching import euler_integrate
    from lerobot.policies.common.vla_utils import make_att_2d_masks, prepare_attention_masks_4d

    model, config = conditioned.model, conditioned.policy.config
    images, image_masks, tokens, token_masks, *state = inputs
    embedded, pad_masks, attention = model.embed_prefix(images, image_masks, tokens, token_masks)
    expert = model.paligemma_with_expert
    for part in (expert.paligemma.model.language_model, expert.gemma_expert.model):
        part.config._attn_implementation = "eager"  # noqa: SLF001
    _, cache = expert.forward(
        attention_mask=prepare_attention_masks_4d(make_att_2d_masks(pad_masks, attention)),
        position_ids=torch.cumsum(pad_masks, dim=1) - 1,
        past_key_values=None,
        inputs_embeds=[embedded, None],
        use_cache=True,
    )
    times = len(branches)
    cache.batch_repeat_interleave(draws * times)
    fixed = {"prefix_pad_masks": pad_masks.repeat_interleave(draws * times, dim=0), "past_key_values": cache}
    if state:
        fixed["state"] = state[0].repeat_interleave(draws * times, dim=0)

    def velocity(x: Tensor, time: Tensor) -> Tensor:
        v = model.denoise_step(x_t=x.repeat_interleave(times, 0), timestep=time.repeat_interleave(times, 0), **fixed)
        if times == 1:
            return v
        any_, positive = v[0::2], v[1::2]
        return any_ + guidance * (positive - any_)

    given = None if branches[0] is None else torch.tensor(branches, device=noise.device).repeat(noise.shape[0])
    with _Given(conditioned, given):
        return euler_integrate(velocity, noise, steps or config.num_inference_steps)
