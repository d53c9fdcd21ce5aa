/** `deno task exp VERB`: parses the command line, calls the verb, turns errors into one line and an exit code. */
import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import { firstLine, Interruption, UsageError } from "../lab/errors.ts";
import { openSession } from "./session.ts";

const collect = (value: string, earlier: string[]) => [...earlier, value];
const program = new Command("exp")
  .description("Experiments: run them, see them, check them")
  .option("--store <dir>", "where results live (default: UPLIFT_STORE or .uplift)")
  .option("--json", "print one JSON document on stdout")
  .addOption(new Option("--experiments <dir>", "folder of experiment modules").default("experiments/"))
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

/** A subcommand that takes the global options, too, wherever they stand. */
function verb<const N extends string>(name: N, description: string) {
  return program.command(name).description(description)
    .addOption(new Option("--store <dir>").hideHelp())
    .addOption(new Option("--json").hideHelp())
    .addOption(new Option("--experiments <dir>").hideHelp());
}

let exitCode = 0;

verb("run", "run what is not yet in the store, print the report")
  .argument("<experiment>")
  .option("--seed <list>", "seeds joined by commas (default: the first of the experiment)")
  .option("--preset <name>", "named hyperparameters, e.g. smoke")
  .option("--set <path=value>", "one hyperparameter, may be repeated", collect, [])
  .option("--params <file>", "hyperparameters from a YAML file")
  .option("--only <stage>", "only this stage and what it needs")
  .option("--rerun <stage>", "make this stage again, may be repeated", collect, [])
  .option("--jobs <n>", "stages side by side (default: half the cores)")
  .option("--checkpoint-seconds <n>", "seconds between checkpoints", "10")
  .action(async (name, options, command) => {
    const { runCommand } = await import("./run.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await runCommand(name, options, session);
  });

try {
  await program.parseAsync(Deno.args, { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(firstLine(error));
    exitCode = error instanceof UsageError ? 2 : error instanceof Interruption ? 130 : 1;
  }
}
Deno.exit(exitCode);
