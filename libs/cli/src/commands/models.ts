import type { Command } from "commander";
import { createTransferProgress, openRegistryAt } from "@stagecraft/model-store";
import type { ModelRegistry, RegisteredVersion } from "@stagecraft/registry";
import type { CommandScope } from "../app/command.js";
import { storeVariables, whereTo } from "../models/model-argument.js";
import { listText, modelDetails, showText } from "../models/model-text.js";
import { wholeFrom } from "./cluster-flags.js";
import { transferCommands } from "./models-transfer.js";
import { examplesText } from "./stage-command.js";

interface ModelsFlags {
  registry: string;
  json?: boolean;
}

const EXAMPLES = [
  "npx stagecraft models promote assistant runs/demo/ppo/model",
  "npx stagecraft models list",
  "npx stagecraft models show assistant",
  "npx stagecraft models rollback assistant",
  "npx stagecraft models push assistant s3://models/assistant",
  "npx stagecraft models promote assistant runs/demo/ppo/model --registry s3://models",
];

const NOTES = `
A registry is one file, models.json: versions of models by name, with the sha256 of their weights, and which of
them is in use. The loop keeps its own in its run directory, the studio in its folder; --registry names it.
--registry s3://BUCKET/FOLDER or nats://FOLDER is a registry in an object store, which several machines share: DIR is
pushed to FOLDER/NAME first; DIR may also be the URL of a model that is there. The store's settings are variables, as
"stagecraft models push --help" says.`;

/** `stagecraft models`: versions of models, which of them is in use, and their way to other machines. */
export function modelsCommand(command: Command, scope: CommandScope): void {
  const add = (usage: string, about: string) =>
    command
      .command(usage)
      .description(about)
      .option("--registry <file>", "the registry, a file or a store's URL", "runs/models.json")
      .option("--json", "JSON, an object a line");
  const tell = tellWith(scope);
  const open = ({ registry }: ModelsFlags) => registryAt(registry, scope);
  add("list [name]", "every version, with its figures; a star marks those in use").action(
    async (name: string | undefined, flags: ModelsFlags) => {
      await using registry = await open(flags);
      const versions = await versionsOf(registry, name);
      tell(flags, versions, listText(versions, registry.file));
    },
  );
  add(
    "show <model>",
    "one version (NAME: the one in use, NAME@3: that one), with its lineage",
  ).action(async (model: string, flags: ModelsFlags) => {
    await using registry = await open(flags);
    const details = await modelDetails(registry, model);
    tell(flags, [details], showText(details));
  });
  add("add <name> <dir>", "register a model directory as the next version of a name")
    .option("--note <text>", "what to remember of it", "")
    .action(async (name: string, dir: string, flags: ModelsFlags & { note: string }) => {
      const { note } = flags;
      await using registry = await open(flags);
      const added = await registry.add(name, dir, { note });
      tell(flags, [added], `${label(added)} is ${added.path}`);
    });
  add(
    "promote <model> [dir]",
    "put NAME@VERSION to use, or register DIR as NAME and put it to use",
  ).action(async (model: string, dir: string | undefined, flags: ModelsFlags) => {
    await using registry = await open(flags);
    const found = dir === undefined ? await registry.find(model) : await registry.add(model, dir);
    const now = await registry.promote(found.name, found.version, { by: BY });
    tell(flags, [now], `${label(now)} is in use: ${now.path}`);
  });
  add("rollback <name>", "back to the version that was in use before")
    .option("--to <version>", "back to this one", wholeFrom(1))
    .action(async (name: string, flags: ModelsFlags & { to?: number }) => {
      const to = flags.to === undefined ? {} : { to: flags.to };
      await using registry = await open(flags);
      const now = await registry.rollBack(name, { by: BY, ...to });
      tell(flags, [now], `${label(now)} is in use again: ${now.path}`);
    });
  transferCommands(command, scope);
  command.addHelpText("after", NOTES);
  command.addHelpText("after", examplesText(EXAMPLES));
}

const BY = "stagecraft models";

/** The registry that a flag names; what is brought there is told beside the output. */
function registryAt(place: string, scope: Pick<CommandScope, "io" | "signal">) {
  const { info, signal } = whereTo(scope);
  return openRegistryAt(place, storeVariables, { signal, progress: createTransferProgress(info) });
}

const label = ({ name, version }: RegisteredVersion) => `${name}@${version}`;

function tellWith({ io }: CommandScope) {
  return ({ json }: ModelsFlags, records: readonly object[], text: string) =>
    void io.out.write(
      json ? records.map((each) => `${JSON.stringify(each)}\n`).join("") : `${text}\n`,
    );
}

async function versionsOf(
  registry: ModelRegistry,
  name: string | undefined,
): Promise<RegisteredVersion[]> {
  if (name === undefined) {
    return (await registry.models()).flatMap(({ versions }) => versions);
  }
  const versions = await registry.versions(name);
  if (versions.length === 0) await registry.find(name); // says which names there are
  return versions;
}
