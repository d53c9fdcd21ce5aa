"""Where LIBERO's files lie: meshes and scenes, task descriptions, initial states."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

from worker_process.errors import WorkerError


@dataclass(frozen=True)
class Files:
    """Folders of one LIBERO: each of `tasks` and `states` holds a folder a suite."""

    assets: Path
    tasks: Path
    states: Path


def package_folder() -> Path:
    """The folder `libero/libero` of the installed hf-libero, found without importing it."""
    found = importlib.util.find_spec("libero")
    if found is None or not found.submodule_search_locations:
        raise WorkerError("import", "Cannot find the package libero in this Python: run deno task setup:libero")
    return Path(next(iter(found.submodule_search_locations))) / "libero"


def find_files(root: Optional[str]) -> Files:
    """Finds the three folders under `root`.

    `root` is a folder with `assets/` (and perhaps `bddl_files/` and `init_files/`), a LIBERO checkout, or None for
    what the installed package brings. Task descriptions and initial states missing there are the package's own.
    """
    package = package_folder()
    mend = "set LIBERO_ASSETS to a folder with assets/, bddl_files/ and init_files/, or run deno task setup:libero"
    if root is None:
        bases = [package]
    else:
        given = Path(root)
        if not given.is_dir():
            raise WorkerError("assets", f"Cannot open the LIBERO files in {root}: no such folder; {mend}")
        bases = [given, given / "libero" / "libero"]
    for base in bases:
        if (base / "assets" / "scenes").is_dir():
            return Files(
                assets=(base / "assets").resolve(),
                tasks=_first_folder(base / "bddl_files", package / "bddl_files"),
                states=_first_folder(base / "init_files", package / "init_files"),
            )
    raise WorkerError("assets", f"Cannot open the LIBERO files in {bases[0]}: it has no assets/scenes; {mend}")


def _first_folder(*candidates: Path) -> Path:
    return next((folder for folder in candidates if folder.is_dir()), candidates[-1]).resolve()


def suites_in(files: Files) -> List[str]:
    """Names of the suites whose task descriptions are there, sorted."""
    return sorted(folder.name for folder in files.tasks.glob("*") if any(folder.glob("*.bddl")))


def task_order() -> Dict[str, List[str]]:
    """The tasks of every suite in the benchmark's own order; read from its file, since importing it needs torch."""
    path = package_folder() / "benchmark" / "libero_suite_task_map.py"
    spec = importlib.util.spec_from_file_location("libero_suite_task_map", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise WorkerError("import", f"Cannot read {path}: hf-libero is incomplete; run deno task setup:libero")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.libero_task_map


def task_files(files: Files, suite: str) -> List[Path]:
    """The task descriptions of `suite`, in the benchmark's order where it knows the suite, else by name."""
    present = {path.stem: path for path in sorted((files.tasks / suite).glob("*.bddl"))}
    if not present:
        have = ", ".join(suites_in(files)) or "none"
        raise WorkerError(
            "assets", f"Cannot open suite {suite}: {files.tasks} has {have}; set LIBERO_ASSETS to a folder with it"
        )
    order = task_order().get(suite)
    if order is None:
        return list(present.values())
    missing = [name for name in order if name not in present]
    if missing:
        raise WorkerError(
            "assets",
            f"Cannot open suite {suite}: {files.tasks / suite} lacks {len(missing)} of its {len(order)} tasks, first "
            f"{missing[0]}.bddl; take the suite's folder whole",
        )
    return [present[name] for name in order]
