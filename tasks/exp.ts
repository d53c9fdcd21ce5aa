/** `deno task exp VERB`: parses the command line, calls the verb, turns errors into one line and an exit code. */
import { Argument, Command, CommanderError, Option } from "@commander-js/extra-typings";
import { firstLine, Interruption, UsageError } from "../lab/errors.ts";
import { openSession } from "./session.ts";

const collect = (value: string, earlier: string[] | undefined) => [...earlier ?? [], value];
const program = new Command("exp")
  .description("Experiments: run them, see them, check them")
  .option("--store <dir>", "where results live (default: UPLIFT_STORE or .uplift)")
  .option("--json", "print one JSON document on stdout")
  .addOption(new Option("--experiments <dir>", "folder of experiment modules").default("experiments"))
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .configureOutput({ outputError: (text, write) => write(text.trim().replaceAll("\n", " ") + "\n") });

/** A subcommand that takes the global options, too, wherever they stand. */
function verb<const N extends string>(name: N, description: string) {
  return program.command(name).description(description)
    .addOption(new Option("--store <dir>").hideHelp())
    .addOption(new Option("--json").hideHelp())
    .addOption(new Option("--experiments <dir>").hideHelp());
}

let exitCode = 0;

/** A verb that looks at what is asked of an experiment. */
function asking<const N extends string>(name: N, description: string) {
  return verb(name, description)
    .option("--seed <list>", "seeds joined by commas (default: the first of the experiment)")
    .option("--preset <name>", "named hyperparameters, e.g. smoke")
    .option("--set <path=value>", "one hyperparameter, may be repeated", collect)
    .option("--params <file>", "hyperparameters from a YAML file")
    .option(
      "--device <name>",
      "what programs run on: cpu, cuda, or auto for a GPU where there is one",
      "cpu",
    );
}

verb("list", "experiments, and where they stand")
  .action(async (_, command) => {
    const { listCommand } = await import("./list.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await listCommand(session);
  });

asking("run", "run what is not yet in the store, print the report")
  .argument("<experiment>")
  .option("--only <stage>", "only this stage and what it needs")
  .option("--rerun <stage>", "make this stage again, may be repeated", collect)
  .option("--jobs <n>", "stages side by side (default: half the cores)")
  .option("--checkpoint-seconds <n>", "seconds between checkpoints", "10")
  .option("--heap <mib>", "JavaScript heap of a stage", "4096")
  .action(async (name, options, command) => {
    const { runCommand } = await import("./run.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await runCommand(name, options, session);
  });

asking("show", "plan, stages, outputs and success table of an experiment or a stored run")
  .argument("<name|hash>")
  .option("--parameters", "its hyperparameters: value, origin, allowed values, description")
  .action(async (subject, options, command) => {
    const { showCommand } = await import("./show.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await showCommand(subject, options, session);
  });

asking("why", "the preimage of a stage's key, and what differs from the nearest earlier one")
  .argument("<experiment/stage>")
  .action(async (subject, options, command) => {
    const { whyCommand } = await import("./why.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await whyCommand(subject, options, session);
  });

asking("verify", "run again from stored inputs and compare the outputs")
  .argument("<experiment[/stage]>")
  .option("--times <n>", "repetitions", "1")
  .option("--jobs <n>", "stages side by side (default: half the cores)")
  .option("--heap <mib>", "JavaScript heap of a stage", "4096")
  .action(async (subject, options, command) => {
    const { verifyCommand } = await import("./verify.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await verifyCommand(subject, options, session);
  });

asking("diff", "two runs compared: hyperparameters, code, graph, outputs, metrics; only what differs")
  .argument("<a>", "an experiment, NAME@SEED, or the head of a hash")
  .argument("<b>")
  .option("--set-b <path=value>", "one hyperparameter of the second alone, may be repeated", collect)
  .option("--markdown", "print Markdown, for a pull request")
  .action(async (a, b, options, command) => {
    const { diffCommand } = await import("./diff.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await diffCommand(a, b, options, session);
  });

asking("export", "a finished run as a folder (or .tar.zst file): outputs, plan, keys, RO-Crate metadata")
  .argument("<name|hash>")
  .argument("<folder>")
  .option("--metrics", "only what other tools plot: CSV, JSON, TensorBoard events")
  .action(async (subject, folder, options, command) => {
    const { exportCommand } = await import("./export.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await exportCommand(subject, folder, options, session);
  });

verb("import", "take an exported folder (or .tar.zst file) into the store, once all of it is checked")
  .argument("<folder>")
  .action(async (folder, _, command) => {
    const { importCommand } = await import("./import.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await importCommand(folder, session);
  });

verb("claims", "judge the claims of claims/ on stored results: holds, fails, not yet measured")
  .argument("[names...]")
  .addOption(new Option("--claims <dir>", "folder of claims").default("claims"))
  .action(async (names, options, command) => {
    const { claimsCommand } = await import("./claims.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await claimsCommand(names, options, session);
  });

verb("fsck", "re-hash everything, quarantine what is damaged")
  .action(async (_, command) => {
    const { fsckCommand } = await import("./fsck.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = fsckCommand(session);
  });

verb("gc", "drop what no experiment or pin reaches (dry run)")
  .option("--yes", "drop it")
  .action(async (options, command) => {
    const { gcCommand } = await import("./gc.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await gcCommand(options, session);
  });

verb("serve", "the results browser, on this machine only")
  .option("--port <n>", "where it listens; 0 takes a free one", "8080")
  .option("--host <address>", "listen on another address, too; needs --token")
  .option("--token <text>", "what visitors have to know, at least 16 characters")
  .action(async (options, command) => {
    const { serveCommand } = await import("./serve.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await serveCommand(options, session);
  });

asking(
  "policy",
  "serve NAME/STAGE or DIGEST: a stored policy for openpi's clients; units FILE: a policy's statistics into the store",
)
  .addArgument(new Argument("<action>").choices(["serve", "units"] as const))
  .argument("<experiment/stage|digest|file>")
  .option("--port <n>", "where it listens; 0 takes a free one", "8000")
  .option("--host <address>", "listen on another address; needs --token")
  .option("--token <text>", "the API key that clients have to send, at least 16 characters")
  .option("--normalization <digest>", "units of a policy that is named by its digest")
  .option("--tasks <list>", "tasks of its one-hot input in their order, joined by commas")
  .option("--guidance <s>", "guidance of a policy with a condition (default: 1)")
  .option("--noise-seed <n>", "seed of the noise where a client sends none", "0")
  .option("--kind <kind>", "of units: z-score or quantile, as the policy was trained")
  .option("--formula <project>", "of units: openpi or lerobot, whose code trained it")
  .action(async (action, subject, options, command) => {
    if (action === "units") {
      const { policyUnitsCommand } = await import("./policy_units.ts");
      using session = openSession(command.optsWithGlobals());
      exitCode = policyUnitsCommand(subject, options, session);
      return;
    }
    const { policyServeCommand } = await import("./policy_serve.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await policyServeCommand(subject, options, session);
  });

asking(
  "data",
  "check, convert or import a LeRobot data set by its PATH; export what EXPERIMENT/STAGE made as one",
)
  .addArgument(new Argument("<action>").choices(["check", "convert", "import", "export"] as const))
  .argument("<path|experiment/stage|digest>")
  .option("--out <dir>", "the new folder, of convert and export")
  .option("--quantiles <rule>", "of convert: mean (LeRobot up to 0.6.1) or envelope (later)", "mean")
  .option("--episodes <from:to>", "of convert: only these, e.g. 0:10")
  .action(async (action, subject, options, command) => {
    const { dataCommand } = await import("./data.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await dataCommand(action, subject, options, session);
  });

asking("doctor", "what this machine can run, or an experiment needs of it; what is missing, and the mend")
  .argument("[topics or experiments...]")
  .action(async (topics, options, command) => {
    const { doctorCommand } = await import("./doctor.ts");
    using session = openSession(command.optsWithGlobals());
    exitCode = await doctorCommand(topics, options, session);
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
