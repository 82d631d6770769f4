import type { Command } from "commander";
import { openRegistry, type ModelRegistry, type RegisteredVersion } from "@stagecraft/registry";
import type { CommandScope } from "../app/command.js";
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
];

const NOTES = `
A registry is one file, models.json: versions of models by name, with the sha256 of their weights, and which of
them is in use. The loop keeps its own in its run directory, the studio in its folder; --registry names it.`;

/** `stagecraft models`: versions of models, which of them is in use, and their way to other machines. */
export function modelsCommand(command: Command, scope: CommandScope): void {
  const add = (usage: string, about: string) =>
    command
      .command(usage)
      .description(about)
      .option("--registry <file>", "the registry", "runs/models.json")
      .option("--json", "JSON, an object a line");
  const tell = tellWith(scope);
  add("list [name]", "every version, with its figures; a star marks those in use").action(
    async (name: string | undefined, flags: ModelsFlags) => {
      const registry = openRegistry(flags.registry);
      const versions = await versionsOf(registry, name);
      tell(flags, versions, listText(versions, registry.file));
    },
  );
  add(
    "show <model>",
    "one version (NAME: the one in use, NAME@3: that one), with its lineage",
  ).action(async (model: string, flags: ModelsFlags) => {
    const details = await modelDetails(openRegistry(flags.registry), model);
    tell(flags, [details], showText(details));
  });
  add("add <name> <dir>", "register a model directory as the next version of a name")
    .option("--note <text>", "what to remember of it", "")
    .action(async (name: string, dir: string, flags: ModelsFlags & { note: string }) => {
      const { note } = flags;
      const added = await openRegistry(flags.registry).add(name, dir, { note });
      tell(flags, [added], `${label(added)} is ${added.path}`);
    });
  add(
    "promote <model> [dir]",
    "put NAME@VERSION to use, or register DIR as NAME and put it to use",
  ).action(async (model: string, dir: string | undefined, flags: ModelsFlags) => {
    const registry = openRegistry(flags.registry);
    const found = dir === undefined ? await registry.find(model) : await registry.add(model, dir);
    const now = await registry.promote(found.name, found.version, { by: BY });
    tell(flags, [now], `${label(now)} is in use: ${now.path}`);
  });
  add("rollback <name>", "back to the version that was in use before")
    .option("--to <version>", "back to this one", wholeFrom(1))
    .action(async (name: string, flags: ModelsFlags & { to?: number }) => {
      const to = flags.to === undefined ? {} : { to: flags.to };
      const now = await openRegistry(flags.registry).rollBack(name, { by: BY, ...to });
      tell(flags, [now], `${label(now)} is in use again: ${now.path}`);
    });
  transferCommands(command, scope);
  command.addHelpText("after", NOTES);
  command.addHelpText("after", examplesText(EXAMPLES));
}

const BY = "stagecraft models";

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
    const all = (await registry.names()).map((each) => registry.versions(each));
    return (await Promise.all(all)).flat();
  }
  const versions = await registry.versions(name);
  if (versions.length === 0) await registry.find(name); // says which names there are
  return versions;
}
