"""The losses: CFG-Flow (Frans et al. 2025, CFGRL) and weighted flow matching, on pi0 and pi0.5.

    cfg       L = mean_i ( positive_i w_i |v(x_t, t, o_i, 1) - u|² + α |v(x_t, t, o_i, 0) - u|² )
    weighted  L = mean_i ( w_i |v(x_t, t, o_i) - u|² )

x_t = t ε + (1 - t) a, u = ε - a; |.|² is the mean over the steps of the chunk that are not padding, and over the real
dimensions of the action (LeRobot's choice too: the padded ones up to 32 are left out). Both branches of a sample share ε
and t. These are rl/cfg_flow.ts and rl/awr.ts with their weights in a column.
"""

from typing import Any, Callable, Dict, Optional, Sequence

import torch
from torch import Tensor

from .condition import ANY, POSITIVE, Conditioned


def sample_error(
    conditioned: Conditioned,
    condition: Optional[int],
    inputs: Sequence[Any],
    actions: Tensor,
    noise: Tensor,
    time: Tensor,
    mask: Tensor,
) -> Tensor:
    """|v - u|² of each sample, [B]."""
    with conditioned.given(condition, actions.shape[0]):
        squared = conditioned.model.forward(*inputs, actions, noise, time)
    width = conditioned.policy.config.output_features["action"].shape[0]
    return (squared[..., :width].mean(dim=2) * mask).sum(dim=1) / mask.sum(dim=1)


def step_loss(
    conditioned: Conditioned,
    method: str,
    alpha: float,
    inputs: Sequence[Any],
    actions: Tensor,
    noise: Tensor,
    time: Tensor,
    aside: Dict[str, Tensor],
    backward: Optional[Callable[[Tensor], None]] = None,
) -> Dict[str, float]:
    """L and its parts. `backward` is called on each part of L as it is there: one pass in memory at a time.

    The branch "positive" is computed for the samples that count in it, none where none does.
    """
    rows = actions.shape[0]
    run = backward or (lambda _: None)

    def part(condition: Optional[int], weight: Tensor) -> float:
        chosen = torch.nonzero(weight > 0).flatten()
        if chosen.numel() == 0:
            return 0.0
        picked = [_pick(entry, chosen) for entry in inputs]
        tensors = (x[chosen] for x in (actions, noise, time, aside["mask"]))
        errors = sample_error(conditioned, condition, picked, *tensors)
        loss = (weight[chosen] * errors).sum() / rows
        run(loss)
        return float(loss.detach())

    if method == "weighted":
        loss = part(None, aside["weight"])
        return {"loss": loss}
    conditional = part(POSITIVE, aside["weight"] * aside["is_positive"])
    unconditional = part(ANY, torch.full((rows,), alpha, device=actions.device)) if alpha > 0 else 0.0
    return {"loss": conditional + unconditional, "conditional": conditional, "unconditional": unconditional}


def _pick(entry: Any, rows: Tensor) -> Any:
    if isinstance(entry, list):
        return [_pick(item, rows) for item in entry]
    return entry[rows]
