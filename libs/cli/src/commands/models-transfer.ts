import { existsSync } from "node:fs";
import type { Command } from "commander";
import { formatBytes } from "@stagecraft/core";
import {
  createTransferProgress,
  formatModelUrl,
  localModel,
  openModelStore,
  openRegistryAt,
  parseModelUrl,
  pullModel,
  pushModel,
} from "@stagecraft/model-store";
import type { CommandScope } from "../app/command.js";
import { addStoreFlags, readStoreSettings, whereTo } from "../models/model-argument.js";
import { examplesText } from "./stage-command.js";

const EXAMPLES = [
  "npx stagecraft models push runs/sft/model s3://models/assistant",
  "npx stagecraft models push assistant@3 nats://assistant --nats-url nats://127.0.0.1:4222",
  "npx stagecraft models pull s3://models/assistant runs/assistant",
];

const NOTES = `
s3://BUCKET/NAME is in an S3-compatible store (--s3-endpoint; keys as STAGECRAFT_S3_ACCESS_KEY_ID and
STAGECRAFT_S3_SECRET_ACCESS_KEY, or …_FILE), nats://NAME in the object store of a deployment's broker. @VERSION at
the end is an older version. A push or pull that was interrupted goes on when it is called again.`;

interface TransferFlags {
  json?: boolean;
  registry?: string;
  prune?: boolean;
  overwrite?: boolean;
}

/** `stagecraft models push` and `pull`: model directories to and from object stores. */
export function transferCommands(command: Command, scope: CommandScope): void {
  const add = (usage: string, about: string) =>
    addStoreFlags(command.command(usage))
      .description(about)
      .option("--json", "progress and result as JSON, an object a line")
      .addHelpText("after", NOTES)
      .addHelpText("after", examplesText(EXAMPLES));
  const push = add("push <model> <url>", "store a directory, or NAME or NAME@3 of the registry")
    .option("--registry <file>", "the registry", "runs/models.json")
    .option("--prune", "remove the other versions of the name in the end, but registered ones");
  push.action(async (model: string, text: string, flags: TransferFlags) => {
    const dir = existsSync(model) ? model : await registeredDir(model, push, scope);
    await transfer(push, scope, text, async ({ store, url, ...how }) => {
      const { name } = url;
      const pushed = await pushModel(store, dir, { ...how, name, prune: flags.prune === true });
      const gone = pushed.removed.length > 0 ? `; removed ${pushed.removed.join(", ")}` : "";
      const { registered } = pushed;
      const kept = registered.length > 0 ? `; kept, in a registry: ${registered.join(", ")}` : "";
      const what = pushed.wasThere ? "was there already" : "pushed";
      return { ...pushed, text: what + gone + kept };
    });
  });
  const pull = add("pull <url> <dir>", "bring a model into a directory").option(
    "--overwrite",
    "replace another model in the directory",
  );
  pull.action(async (text: string, dir: string, flags: TransferFlags) => {
    await transfer(pull, scope, text, async ({ store, url, ...how }) => {
      const { name, version } = url;
      const overwrite = flags.overwrite === true;
      const pulled = await pullModel(store, dir, { ...how, name, version, overwrite });
      return { ...pulled, text: `${pulled.wasThere ? "was there already:" : "is in"} ${dir}` };
    });
  });
}

/** A directory of a registered model: it is brought here first from a store, which the same flags reach. */
async function registeredDir(model: string, push: Command, scope: CommandScope): Promise<string> {
  const settings = await readStoreSettings(push);
  const place = push.opts<TransferFlags>().registry!;
  await using registry = await openRegistryAt(place, () => settings);
  return localModel((await registry.find(model)).path, { settings, ...whereTo(scope) });
}

interface Transfer {
  store: Awaited<ReturnType<typeof openModelStore>>;
  url: ReturnType<typeof parseModelUrl>;
  signal: AbortSignal;
  progress: ReturnType<typeof createTransferProgress>;
}

async function transfer(
  command: Command,
  { io, signal, createReporter }: CommandScope,
  text: string,
  work: (transfer: Transfer) => Promise<{ version: string; sizeBytes: number; text: string }>,
): Promise<void> {
  const url = parseModelUrl(text);
  const settings = await readStoreSettings(command);
  const json = command.opts<TransferFlags>().json === true;
  const reporter = createReporter({ json });
  try {
    await using store = await openModelStore(url, settings);
    const progress = createTransferProgress((line) => reporter.info(line));
    const { text: what, ...done } = await work({ store, url, signal, progress });
    const named = formatModelUrl({ ...url, version: done.version });
    const record = { url: named, ...done };
    const line = `${named} ${what} (${formatBytes(done.sizeBytes)})`;
    io.out.write(json ? `${JSON.stringify(record)}\n` : `${line}\n`);
  } finally {
    reporter.close();
  }
}
