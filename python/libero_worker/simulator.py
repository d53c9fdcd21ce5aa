"""Importing MuJoCo, robosuite and LIBERO so that nothing prompts, downloads, prints on a pipe or needs a display."""

import importlib.metadata
import os
import stat
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Dict, Optional, Tuple

from worker_process.errors import WorkerError

from .assets import Files

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
MEND = "run deno task setup:libero"

# Package, lowest and highest version that gives the benchmark's own episodes, and what goes wrong elsewhere.
PINS = (
    ("mujoco", (3, 2, 3), (3, 3, 2), "3.3.3 darkens the floors and 3.4.0 lets objects slide in the settle steps"),
    ("robosuite", (1, 4, 0), (1, 4, 99), "LIBERO's classes do not exist in 1.5, and 1.3 has other controllers"),
    ("hf-libero", (0, 1, 3), (0, 1, 99), "other releases lay out their files differently"),
)
REPORTED = ("mujoco", "robosuite", "hf-libero", "bddl", "numpy", "scipy", "numba", "llvmlite", "PyOpenGL", "msgpack")


def versions() -> Dict[str, str]:
    """Installed versions by package, without importing any; "missing" for what is not there."""
    found: Dict[str, str] = {}
    for name in REPORTED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return {**found, "libero": found["hf-libero"]}


def check_versions() -> None:
    """Raises WorkerError("import") at the first package that is missing or outside its pin, with the reason."""
    installed = versions()
    for name, low, high, reason in PINS:
        version = installed[name]
        if version == "missing":
            raise WorkerError("import", f"Cannot import {name}: it is not installed in {sys.executable}; {MEND}")
        parts = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
        if not low <= parts <= high:
            wanted = f"{_dotted(low)} to {_dotted(high).replace('.99', '.x')}"
            raise WorkerError("import", f"Cannot use {name} {version}: wanted {wanted} ({reason}); {MEND}")


def _dotted(version: Tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def prepare_environment() -> None:
    """Sets what must stand in the environment before NumPy is first imported: one thread, writable caches."""
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
    cache = cache_folder()
    # Both would write into the home folder or the package, which may be read-only.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache / "numba"))
    os.environ.setdefault("MPLCONFIGDIR", str(cache / "matplotlib"))


def cache_folder() -> Path:
    """A writable folder for what the packages compile: in the virtual environment, else a temporary one.

    What lies in it is run, so a folder that others can write to is not used.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    for folder in (Path(sys.prefix) / "cache", Path(tempfile.gettempdir()) / f"libero-cache-{user}"):
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
        except OSError:
            continue
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if private and os.access(folder, os.W_OK) and found.st_uid == user:
            return folder
    return Path(tempfile.mkdtemp(prefix="libero-cache-"))


def import_simulator(files: Files, cameras: bool) -> Optional[str]:
    """Imports LIBERO with `files` as its assets. Returns the renderer ("egl" or "osmesa"), None without cameras.

    Once a process. Raises WorkerError("import") when a package is missing or does not load, and "render" when
    cameras are wanted and no renderer works.
    """
    check_versions()
    renderer = choose_renderer() if cameras else None
    os.environ["MUJOCO_GL"] = renderer or "disable"
    # robosuite forces EGL at import and logs about missing settings, unless this module says otherwise.
    settings = types.ModuleType("robosuite.macros_private")
    settings.__dict__["MUJOCO_GPU_RENDERING"] = False
    sys.modules["robosuite.macros_private"] = settings
    # libero prompts on stdin when it finds no config.yaml, so it gets a private one with these very folders.
    with tempfile.TemporaryDirectory(prefix="libero-config-") as folder:
        os.environ["LIBERO_CONFIG_PATH"] = folder
        entries = {"assets": files.assets, "bddl_files": files.tasks, "init_states": files.states}
        text = "".join(f'{key}: "{path}"\n' for key, path in entries.items())
        (Path(folder) / "config.yaml").write_text(text, encoding="utf-8")
        try:
            import libero.libero

            # hf-libero ignores the config's assets and would download them; it asks this variable first.
            libero.libero._assets_path_cache = str(files.assets)
            import libero.libero.envs  # noqa: F401
        except Exception as error:  # a package without its shared library raises anything
            raise WorkerError("import", f"Cannot import LIBERO: {type(error).__name__}: {error}; {MEND}") from error
    return renderer


PROBE = """
import mujoco
context = mujoco.GLContext(64, 64)
context.make_current()
mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), mujoco.mjtFontScale.mjFONTSCALE_100)
"""


def renderer_fault(name: str) -> Optional[str]:
    """Tries `name` ("egl" or "osmesa") in a process of its own, since GL can abort; the last line of what it said."""
    environment = {**os.environ, "MUJOCO_GL": name, "PYOPENGL_PLATFORM": name}
    try:
        tried = subprocess.run(
            [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return "no answer in 60 s"
    if tried.returncode == 0:
        return None
    said = [line for line in tried.stderr.strip().splitlines() if line and not line.startswith("Exception ignored")]
    return said[-1].rstrip(".") if said else f"exit status {tried.returncode}"


def choose_renderer() -> str:
    """The renderer that MUJOCO_GL names, else the first of egl and osmesa that works."""
    named = os.environ.get("MUJOCO_GL", "").lower().strip()
    candidates = [named] if named in ("egl", "osmesa") else ["egl", "osmesa"]
    faults = []
    for candidate in candidates:
        fault = renderer_fault(candidate)
        if fault is None:
            return candidate
        faults.append(f"{candidate}: {fault}")
    mend = "unset MUJOCO_GL, install libosmesa6 (Debian, Ubuntu: apt-get install libosmesa6), or open without cameras"
    raise WorkerError("render", f"Cannot render cameras: {'; '.join(faults)}; {mend}")
