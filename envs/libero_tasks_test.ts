import assert from "node:assert/strict";
import { join } from "node:path";
import { protocols } from "./libero_protocols.ts";
import { instruction, liberoTasks } from "./libero_tasks.ts";

const description = (goal: string) =>
  `(define (problem P)
  (:domain robosuite)
  (:language Put The Cup on the plate)
  (:fixtures main_table - table shelf_1 - shelf)
  (:objects cup_1 - cup plate_1 - plate)
  (:init (On cup_1 main_table_cup_region) (On shelf_1 main_table_shelf_region))
  (:goal (And ${goal})))`;

/** A folder of data with one suite of two tasks, and a suite without any. */
async function data() {
  const root = await Deno.makeTempDir({ prefix: "uplift-libero-" });
  const suite = join(root, "bddl_files", "libero_mine");
  await Deno.mkdir(suite, { recursive: true });
  await Deno.mkdir(join(root, "bddl_files", "empty"));
  await Deno.writeTextFile(join(suite, "put_the_cup_on_the_plate.bddl"), description("(On cup_1 plate_1)"));
  await Deno.writeTextFile(
    join(suite, "KITCHEN_SCENE10_open_the_shelf.bddl"),
    description("(Open shelf_1_top_region)"),
  );
  return { root, suite, [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }) };
}

Deno.test("liberoTasks() reads the tasks of any suite from its descriptions", async () => {
  await using made = await data();
  const tasks = liberoTasks(made.root, "libero_mine", protocols.ours);
  assert.deepEqual([...tasks.values()], [
    {
      suite: "libero_mine",
      name: "KITCHEN_SCENE10_open_the_shelf",
      language: "open the shelf",
      maxSteps: 520,
      roles: { target: "shelf_1_top_region", goal: "shelf_1_top_region" },
      objects: ["cup_1", "plate_1", "shelf_1", "shelf_1_top_region"],
    },
    {
      suite: "libero_mine",
      name: "put_the_cup_on_the_plate",
      language: "put the cup on the plate",
      maxSteps: 520,
      roles: { target: "cup_1", goal: "plate_1" },
      objects: ["cup_1", "plate_1", "shelf_1"],
    },
  ]);
});

Deno.test("liberoTasks() says which suites there are, and which description is damaged", async () => {
  await using made = await data();
  assert.throws(() => liberoTasks(made.root, "libero_goal", protocols.ours), {
    message:
      `Cannot open LIBERO suite "libero_goal": ${join(made.root, "bddl_files")} has empty, libero_mine; ` +
      "set LIBERO_ASSETS to data with it",
  });
  assert.throws(() => liberoTasks(made.root, "empty", protocols.ours), {
    message: /empty has no task descriptions$/,
  });
  const path = join(made.suite, "put_the_cup_on_the_plate.bddl");
  await Deno.writeTextFile(path, description("(On cup_1 plate_1)").slice(0, -9));
  assert.throws(() => liberoTasks(made.root, "libero_mine", protocols.ours), (error: Error) => {
    assert.equal(error.message, `Cannot read a task description that lacks a ")": is it cut off? (${path})`);
    return true;
  });
});

// The benchmark's own `task.language` for names of each form (hf-libero 0.1.4, grab_language_from_filename).
Deno.test("instruction() is what the benchmark hands to policies", () => {
  const names = {
    pick_up_the_black_bowl_on_the_stove_and_place_it_on_the_plate:
      "pick up the black bowl on the stove and place it on the plate",
    KITCHEN_SCENE10_close_the_top_drawer_of_the_cabinet: "close the top drawer of the cabinet",
    KITCHEN_SCENE1_open_the_bottom_drawer_of_the_cabinet: "open the bottom drawer of the cabinet",
    LIVING_ROOM_SCENE5_put_the_red_mug_on_the_left_plate: "put the red mug on the left plate",
    STUDY_SCENE1_pick_up_the_book_and_place_it_in_the_back_compartment_of_the_caddy:
      "pick up the book and place it in the back compartment of the caddy",
  };
  for (const [name, language] of Object.entries(names)) assert.equal(instruction(name), language);
});
