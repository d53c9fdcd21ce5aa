"""LIBERO's fixed initial states: torch archives of one NumPy array, read without torch."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from worker_process.errors import WorkerError

# All that a pickled NumPy array names. Anything else in the file would be code that somebody wants run.
ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs")
        return super().find_class(module, name)


def read_initial_states(path: Path) -> np.ndarray:
    """The flattened simulator states in `path`, float64 [states, 1 + nq + nv].

    Raises WorkerError("assets") when the file is missing or is anything but one such array.
    """
    mend = "take the file from LIBERO's init_files again"
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            states = _ArrayUnpickler(io.BytesIO(archive.read(entry))).load()
    except FileNotFoundError as error:
        raise WorkerError("assets", f"Cannot read initial states: {path} is missing; {mend}") from error
    except (zipfile.BadZipFile, StopIteration, pickle.UnpicklingError, OSError, EOFError) as error:
        reason = error or "no pickle inside"
        raise WorkerError("assets", f"Cannot read initial states {path}: {reason}; {mend}") from error
    if not isinstance(states, np.ndarray) or states.ndim != 2:
        raise WorkerError("assets", f"Cannot read initial states {path}: it holds no two-dimensional array; {mend}")
    return states.astype(np.float64)
