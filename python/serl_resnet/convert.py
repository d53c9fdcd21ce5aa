"""Converts SERL's released ResNet-10 (resnet10_params.pkl) to safetensors with the same names, joined by "/".

    python convert.py resnet10_params.pkl resnet10.safetensors

Needs NumPy alone. Unpickling runs code that the file names, so nothing but arrays and dictionaries is let in: arrays of
JAX become NumPy's, Flax' frozen dictionaries plain ones.
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np


def array(make, arguments, state, _description=None):
    """What a pickled JAX array holds: NumPy's own way to make one."""
    x = make(*arguments)
    x.__setstate__(state)
    return x


class Frozen(dict):
    """Stands for Flax' FrozenDict, which is pickled as its dictionary."""

    def __setstate__(self, state):
        self.update(state.get("_dict", {}))


NUMPY = {"_reconstruct", "ndarray", "dtype", "_frombuffer", "scalar"}


class Reader(pickle.Unpickler):
    """Unpickles arrays and dictionaries."""

    def find_class(self, module, name):
        if module.split(".")[0] == "numpy" and name in NUMPY:
            return super().find_class(module, name)
        if module.startswith(("jax.", "jaxlib.")) and name in ("_reconstruct_array", "reconstruct_device_array"):
            return array
        if module.startswith("flax.") and name == "FrozenDict":
            return Frozen
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        raise pickle.UnpicklingError(f"Cannot read a pickle that names {module}.{name}: only arrays are let in")


def flatten(tree, path=()):
    """{"a": {"b": array}} -> {"a/b": float32 array}."""
    if not isinstance(tree, dict):
        return {"/".join(path): np.ascontiguousarray(tree, dtype=np.float32)}
    return {name: x for key, value in tree.items() for name, x in flatten(value, (*path, str(key))).items()}


def safetensors(tensors):
    """The format's bytes: header length, header padded to 8 bytes, data in the order of the names."""
    header, data, at = {}, [], 0
    for name in sorted(tensors):
        raw = tensors[name].tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(data)


def main():
    if len(sys.argv) != 3:
        sys.exit("Usage: convert.py PICKLE SAFETENSORS")
    source, target = map(Path, sys.argv[1:])
    with source.open("rb") as file:
        tree = Reader(file).load()
    # Some files hold the parameters below "params".
    tensors = flatten(tree.get("params", tree))
    if "conv_init/kernel" not in tensors:
        sys.exit(f"Cannot convert {source}: it has no conv_init/kernel but {', '.join(sorted(tensors)[:5])}")
    target.write_bytes(safetensors(tensors))
    print(f"{target}: {len(tensors)} tensors, {sum(x.size for x in tensors.values())} numbers")


if __name__ == "__main__":
    main()
