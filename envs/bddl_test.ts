import assert from "node:assert/strict";
import { readTaskDescription } from "./bddl.ts";

// After LIBERO's open_the_top_drawer_and_put_the_bowl_inside, shortened.
const text = `
(define (problem LIBERO_Tabletop_Manipulation)
  (:domain robosuite)
  (:language Open the top layer of the drawer and put the bowl inside) ; a comment with (
    (:regions
      (bowl_region (:target main_table) (:ranges ((-0.1 -0.01 -0.08 0.01))))
      (top_region (:target wooden_cabinet_1))
    )
  (:fixtures
    main_table - table
    wooden_cabinet_1 - wooden_cabinet
    flat_stove_1 - flat_stove
  )
  (:objects
    akita_black_bowl_1 akita_black_bowl_2 - akita_black_bowl
    plate_1 - plate
  )
  (:obj_of_interest akita_black_bowl_1)
  (:init
    (On akita_black_bowl_1 main_table_bowl_region)
    (On wooden_cabinet_1 main_table_cabinet_region)
    (On flat_stove_1 main_table_stove_region)
  )
  (:goal
    (And (In akita_black_bowl_1 wooden_cabinet_1_top_region) (Close wooden_cabinet_1_top_region) (Turnon flat_stove_1))
  )
)`;

Deno.test("readTaskDescription() finds objects, placed fixtures, regions of the goal and roles", () => {
  assert.deepEqual(readTaskDescription(text), {
    language: "open the top layer of the drawer and put the bowl inside",
    movable: ["akita_black_bowl_1", "akita_black_bowl_2", "plate_1"],
    fixtures: ["wooden_cabinet_1", "flat_stove_1"],
    regions: ["wooden_cabinet_1_top_region"],
    roles: { target: "akita_black_bowl_1", goal: "wooden_cabinet_1_top_region" },
  });
});

Deno.test("readTaskDescription() takes a goal of one argument as target and goal", () => {
  const goal = text.replace(/\(And .*\)/, "(And (Turnon flat_stove_1))");
  assert.deepEqual(readTaskDescription(goal).roles, { target: "flat_stove_1", goal: "flat_stove_1" });
  const bare = text.replace(/\(And .*\)/, "(Turnon flat_stove_1)");
  assert.deepEqual(readTaskDescription(bare).roles, { target: "flat_stove_1", goal: "flat_stove_1" });
});

Deno.test("readTaskDescription() refuses what is no task description", () => {
  const wrong: [string, string][] = [
    [text.slice(0, -3), 'Cannot read a task description that lacks a ")": is it cut off?'],
    [`${text})`, 'Cannot read a task description with a ")" too many'],
    ["<html>not found</html>", 'Cannot read a task description that does not start with "(define"'],
    ["(define (:objects a - b))", "Cannot read a task description without (:init ...)"],
    [text.replace(/\(And .*\)/, "(And)"), "Cannot read a task description whose goal has no predicate"],
  ];
  for (const [bad, message] of wrong) {
    assert.throws(() => readTaskDescription(bad), { name: "SyntaxError", message });
  }
});
