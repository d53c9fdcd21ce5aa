"""Which statistics a policy normalises with, and whether they are those of a data set."""

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from .errors import BridgeError

Stats = Dict[str, Dict[str, np.ndarray]]

# What each mode of LeRobot's normaliser reads (processor/normalize_processor.py).
USED = {
    "MEAN_STD": ("mean", "std"),
    "MIN_MAX": ("min", "max"),
    "QUANTILES": ("q01", "q99"),
    "QUANTILE10": ("q10", "q90"),
    "IDENTITY": (),
}
# openpi's names of the features (shared/normalize.py).
OPENPI = {"state": "observation.state", "actions": "action"}
# Statistics pass through float32 on their way into a checkpoint.
RELATIVE, ABSOLUTE = 1e-5, 1e-6


def read_stats(path: str) -> Stats:
    """Statistics of a data set: LeRobot's meta/stats.json, or openpi's norm_stats.json. Raises BridgeError("data")."""
    try:
        document = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise BridgeError("data", f"Cannot read statistics {path}: {error}") from error
    features = document.get("norm_stats") if isinstance(document, dict) else None
    named = {OPENPI.get(name, name): entry for name, entry in (features or document).items()} if document else {}
    stats = {
        name: {key: np.asarray(value, np.float64) for key, value in entry.items() if isinstance(value, (list, float))}
        for name, entry in named.items()
        if isinstance(entry, dict)
    }
    if "action" not in stats:
        raise BridgeError("data", f"Cannot use statistics {path}: they have no feature action, but {sorted(stats)}")
    return stats


def differences(policy: Stats, data: Stats, modes: Mapping[str, str]) -> List[str]:
    """How the statistics of vectors that a policy uses differ from a data set's, feature by feature; none: they match.

    `modes` says by which mode each feature is normalised. openpi pads to 32 numbers, so the shorter length counts.
    """
    found = []
    for feature, mode in modes.items():
        for name in USED[mode]:
            ours, theirs = policy.get(feature, {}).get(name), data.get(feature, {}).get(name)
            if ours is None or theirs is None:
                lacking = "the policy" if ours is None else "the data set"
                found.append(f"{lacking} has no {name} of {feature}")
                continue
            a, b = (np.ravel(np.asarray(x, np.float64)) for x in (ours, theirs))
            width = min(a.size, b.size)
            gap = np.abs(a[:width] - b[:width])
            wrong = gap > ABSOLUTE + RELATIVE * np.abs(b[:width])
            if wrong.any():
                found.append(f"{name} of {feature} differs in {int(wrong.sum())} of {width} numbers, by up to {gap.max():.3g}")
    return found


def modes_of(features: Sequence[Tuple[str, str]], mapping: Mapping[Any, Any]) -> Dict[str, str]:
    """The mode of each vector of a policy: of (name, type) with type "STATE" or "ACTION"."""
    by_type = {str(getattr(key, "value", key)): str(getattr(mode, "value", mode)) for key, mode in mapping.items()}
    return {name: by_type.get(kind, "IDENTITY") for name, kind in features if kind in ("STATE", "ACTION")}
