import { Option, type Command } from "commander";
import { engineSettings, type EngineSettings } from "@stagecraft/fields";
import type { CommandScope } from "../app/command.js";
import { modelArgument, whereTo } from "../models/model-argument.js";
import { wholeFrom, wholeNumberFlag } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";
import type { Serving } from "../serve/serve-model.js";
import { chatTemplateFlag, chatTokensFlag, addEngineFlags } from "../flags/model-flags.js";

interface ServeFlags extends EngineSettings {
  name?: string;
  chatTemplate?: string;
  chatTokens?: string[];
  host: string;
  port: number;
  apiKey: string[];
  maxActive: number;
  maxQueued: number;
  streamInterval?: number;
  graceMs: number;
  metricsPort?: number;
  json?: boolean;
}

const EXAMPLES = [
  "npx stagecraft serve runs/demo/ppo/model",
  "npx stagecraft serve runs/demo/ppo/model --name assistant --port 8080 --api-key sk-local",
  "npx stagecraft serve runs/demo/reward/model --port 8081",
];

const NOTES = `
Serves what OpenAI's clients ask for: /v1/models, /v1/chat/completions, /v1/completions; a reward model
/v1/score, and what the remote reward clients of OpenRLHF and verl send. docs/serving.md says which fields
are supported. Ctrl-C finishes what is being answered and stops.`;

/** `stagecraft serve MODEL`: one model behind OpenAI's API on this machine. */
export function serveCommand(command: Command, scope: CommandScope): void {
  command
    .argument(
      "<model>",
      "model directory, s3://BUCKET/NAME or nats://NAME; one with a score head serves scores",
    )
    .option("--name <name>", "name that requests use (default: the directory as it is given)")
    .addOption(chatTemplateFlag())
    .addOption(chatTokensFlag())
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .addOption(wholeNumberFlag("--port", "port; 0 = any free one", 8080))
    .option("--api-key <key...>", "keys that are accepted; none = everybody on this machine", []);
  addEngineFlags(command)
    .addOption(
      wholeNumberFlag("--max-active", "answers that grow at the same time", 64, { min: 1 }),
    )
    .addOption(wholeNumberFlag("--max-queued", "answers that may wait", 1024))
    .addOption(
      new Option(
        "--stream-interval <ms>",
        "least time between two pieces of a stream but its first and last; 0 = every token at once (default: 20)",
      ).argParser(wholeFrom(0)),
    )
    .addOption(
      wholeNumberFlag("--grace-ms", "time at the end for what is being answered, ms", 20_000),
    )
    .addOption(
      new Option(
        "--metrics-port <n>",
        "port of GET /metrics on this machine; 0 = any free one (default: no metrics)",
      ).argParser(wholeFrom(0)),
    )
    .option("--json", "print one JSON object when it serves")
    .addHelpText("after", NOTES)
    .addHelpText("after", examplesText(EXAMPLES))
    .action((dir: string, flags: ServeFlags) => serve(dir, flags, scope));
}

async function serve(text: string, flags: ServeFlags, scope: CommandScope): Promise<void> {
  const { io, signal } = scope;
  const { serveModel } = await import("../serve/serve-model.js");
  const name = flags.name ?? (text.replace(/\/+$/, "") || text);
  const dir = await modelArgument(text, whereTo(scope));
  const { host, port, maxActive, maxQueued, graceMs, metricsPort } = flags;
  const options = {
    ...{ dir, name, host, port, maxActive, maxQueued, graceMs, signal },
    ...(flags.streamInterval !== undefined && { streamIntervalMs: flags.streamInterval }),
    chat: { chatTemplate: flags.chatTemplate, chatTokens: flags.chatTokens },
    ...{ engine: engineSettings(flags), apiKeys: flags.apiKey },
    ...(metricsPort !== undefined && { metricsPort }),
  };
  await serveModel(options, (serving) => {
    const told = { ...serving, model: name };
    io.err.write(unsupportedText(serving.unsupported));
    if (serving.engineNotice) io.err.write(`${serving.engineNotice}\n`);
    io.out.write(flags.json ? `${JSON.stringify(told)}\n` : textOf(told, flags.apiKey.length > 0));
  });
}

/** One line for each thing that a model's generation_config.json asks for and that is not done. */
export const unsupportedText = (unsupported: readonly string[]) =>
  unsupported
    .map((what) => `generation_config.json: ${what} is not supported and left out\n`)
    .join("");

function textOf(
  { url, kind, model, engineName, metricsUrl }: Serving & { model: string },
  withKey: boolean,
) {
  const isPolicy = kind === "policy";
  const path = isPolicy ? "/v1/chat/completions" : "/v1/score";
  const messages = [{ role: "user", content: "Hello" }];
  const scored = [...messages, { role: "assistant", content: "Good morning" }];
  const body = JSON.stringify({ model, messages: isPolicy ? messages : scored });
  const key = withKey ? " -H 'authorization: Bearer KEY'" : "";
  return `${model} (${isPolicy ? "answers" : "scores"}, ${engineName} engine) is served at ${url}/v1

  curl ${url}${path} -H 'content-type: application/json'${key} -d '${body.replaceAll("'", "'\\''")}'

${metricsUrl === undefined ? "" : `Metrics: ${metricsUrl}\n\n`}Ctrl-C stops.
`;
}
