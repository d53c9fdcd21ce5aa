"""Checks for the doctor: `python -m libero_worker.probe CHECK [--root DIR] [--suite NAME]` prints one JSON object.

CHECK is `versions` (installed packages against their pins), `renderer` (what works), `settle` (whether every object
rests after the settle steps, on every task of a suite) or `golden` (the first frame against a stored one). The object
has `ok`, what was measured, and `fault`: one line with the mend, or null.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List

from worker_process.errors import WorkerError

# Objects at rest creep below 1e-4 m/s; with MuJoCo 3.4 the bowl of libero_spatial's sixth task slides at 1e-2.
RESTING_SPEED = 1e-3
# One part in a million of a metre: another BLAS kernel moves the last bits, another MuJoCo far more.
GOLDEN_TOLERANCE = 1e-6
GOLDEN_FILE = Path(__file__).with_name("golden.json")


def check_versions() -> Dict[str, Any]:
    """Versions of all packages; the first one outside its pin."""
    from . import simulator

    found = {"python": sys.version.split()[0], **simulator.versions()}
    try:
        simulator.check_versions()
    except WorkerError as error:
        return {"ok": False, "versions": found, "fault": str(error)}
    return {"ok": True, "versions": found, "fault": None}


def check_renderer() -> Dict[str, Any]:
    """The renderer that cameras would get, and why each of the others does not work."""
    from . import simulator

    faults = {name: simulator.renderer_fault(name) for name in ("egl", "osmesa")}
    try:
        chosen = simulator.choose_renderer()
    except WorkerError as error:
        return {"ok": False, "renderer": None, "faults": faults, "fault": str(error)}
    return {"ok": True, "renderer": chosen, "faults": faults, "fault": None}


def check_settle(session: Any) -> Dict[str, Any]:
    """The fastest object of every task after seed, reset, first evaluation state and settle steps."""
    from .requests import Start

    tasks: List[Dict[str, Any]] = []
    for task in session.tasks:
        simulation = session.simulation(task.name)
        done = simulation.reset(Start("evaluation", 0, 0, 10))
        name, speed = max(simulation.speeds().items(), key=lambda pair: pair[1])
        tasks.append({"task": task.name, "object": name, "speed": speed, "done": done})
    worst = max(tasks, key=lambda task: task["speed"])
    ok = worst["speed"] <= RESTING_SPEED and not any(task["done"] for task in tasks)
    moving = f"{worst['object']} of {worst['task']} moves at {worst['speed']:.2g} m/s"
    return {
        "ok": ok,
        "tasks": tasks,
        "fault": None if ok else f"Cannot settle: {moving}, wanted {RESTING_SPEED} at most; run deno task setup:libero",
    }


def first_frame(session: Any) -> Dict[str, Any]:
    """State and digest of the suite's first task at its first evaluation state."""
    from .requests import Start

    task = session.tasks[0]
    simulation = session.simulation(task.name)
    outcome = simulation.observe(simulation.reset(Start("evaluation", 0, 0, 10)))
    return {"task": task.name, "state": outcome.state.tolist(), "hash": simulation.hash()}


def check_golden(session: Any, suite: str) -> Dict[str, Any]:
    """The first frame beside the stored one: the same bytes, the same numbers, or the first number that differs."""
    found = first_frame(session)
    stored = json.loads(GOLDEN_FILE.read_text(encoding="utf-8")).get(suite)
    if stored is None:
        return {"ok": True, "compared": "nothing stored for this suite", "hash": found["hash"], "fault": None}
    if stored["hash"] == found["hash"]:
        return {"ok": True, "compared": "the same bytes", "hash": found["hash"], "fault": None}
    pairs = list(zip(stored["state"], found["state"]))
    different = [index for index, (wanted, got) in enumerate(pairs) if abs(wanted - got) > GOLDEN_TOLERANCE]
    if not different and len(stored["state"]) == len(found["state"]):
        return {"ok": True, "compared": f"within {GOLDEN_TOLERANCE}", "hash": found["hash"], "fault": None}
    where = different[0] if different else min(len(stored["state"]), len(found["state"]))
    fault = (
        f"Cannot reproduce the first frame of {found['task']}: number {where} of its state differs; "
        "check the versions, then the assets against LIBERO's own"
    )
    return {"ok": False, "compared": "different", "hash": found["hash"], "fault": fault}


def run(check: str, root: str, suite: str) -> Dict[str, Any]:
    """The object to print."""
    if check == "versions":
        return check_versions()
    if check == "renderer":
        return check_renderer()
    from .assets import find_files, task_files
    from .requests import OpenRequest
    from .simulator import import_simulator

    files = find_files(root or None)
    bddl_files = task_files(files, suite)
    import_simulator(files, cameras=False)
    from .session import Session

    session = Session(OpenRequest(suite, root or None, [], True), files, bddl_files)
    try:
        return check_settle(session) if check == "settle" else check_golden(session, suite)
    finally:
        session.close()


def main() -> None:
    """Prints the object on what was stdout; everything the packages print goes to stderr."""
    parser = argparse.ArgumentParser(description="Checks of the LIBERO worker's Python environment")
    parser.add_argument("check", choices=["versions", "renderer", "settle", "golden"])
    parser.add_argument("--root", default="")
    parser.add_argument("--suite", default="libero_spatial")
    given = parser.parse_args()
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from .simulator import prepare_environment

    prepare_environment()
    try:
        found = run(given.check, given.root, given.suite)
    except WorkerError as error:
        found = {"ok": False, "kind": error.kind, "fault": str(error)}
    print(json.dumps(found), file=answer, flush=True)
    os._exit(0 if found["ok"] else 1)


if __name__ == "__main__":
    main()
