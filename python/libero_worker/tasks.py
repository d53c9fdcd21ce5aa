"""What a task is, read from its BDDL description: names, instruction, roles. No list of names anywhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from .assets import Files


@dataclass(frozen=True)
class TaskDescription:
    """One task of a suite."""

    name: str
    bddl: Path
    states: Path
    language: str
    movable: List[str]
    fixtures: List[str]
    regions: List[str]
    roles: Dict[str, str]

    @property
    def objects(self) -> List[str]:
        """All names observed, in the order of the state: movable objects, fixtures, regions of the goal."""
        return [*self.movable, *self.fixtures, *self.regions]

    def reply(self) -> Dict[str, Any]:
        """The task as `open` sends it."""
        return {
            "name": self.name,
            "language": self.language,
            "objects": self.objects,
            "roles": self.roles,
            "fixtures": self.fixtures,
            "regions": self.regions,
        }


def describe_task(files: Files, suite: str, bddl: Path) -> TaskDescription:
    """Reads a task description with LIBERO's own parser (needs the simulator imported)."""
    from libero.libero.envs import OBJECTS_DICT
    from libero.libero.envs.bddl_utils import robosuite_parse_problem

    problem = robosuite_parse_problem(str(bddl))
    movable = [name for names in problem["objects"].values() for name in names]
    # The table or floor of a scene is declared a fixture too, but is part of the arena: no class of object, no body.
    fixtures = [
        name for category, names in problem["fixtures"].items() if category in OBJECTS_DICT for name in names
    ]
    regions: List[str] = []
    for _, *arguments in problem["goal_state"]:
        regions.extend(name for name in arguments if name not in [*movable, *fixtures, *regions])
    _, *first = problem["goal_state"][0]
    return TaskDescription(
        name=bddl.stem,
        bddl=bddl,
        states=files.states / suite / f"{bddl.stem}.pruned_init",
        language=instruction(bddl.stem),
        movable=movable,
        fixtures=fixtures,
        regions=regions,
        roles={"target": first[0], "goal": first[-1]},
    )


def instruction(name: str) -> str:
    """The instruction that the benchmark hands to policies: the task's name without its scene.

    It is not the BDDL file's `:language` ("Pick the akita black bowl ..."), which no published policy was given.
    The rule is `grab_language_from_filename` of libero/benchmark/__init__.py.
    """
    if name[0].isupper():
        # "KITCHEN_SCENE10_close_the_...": the rule skips the scene's number and what follows it.
        name = name[name.find("SCENE") + (8 if "SCENE10" in name else 7) :]
    return " ".join(name.split("_"))
