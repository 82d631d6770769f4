// Starts a run on a trainer, or finds it by its id, and follows it to its end; the config is YAML or JSON,
// its paths are the trainer's:
// `node deploy/scripts/start-run.mjs --id NAME [--stage ppo] [--trainer 127.0.0.1:50054] FILE`
// Beyond loopback it needs --plaintext, or --ca FILE and, where asked for, --token-file FILE.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { loadConfigFile } from "@stagecraft/config";
import { connectTrainer, followRun } from "@stagecraft/client";
import { trainer } from "@stagecraft/contracts";
import { runScript } from "./run-script.mjs";

/**
 * @param {object} options
 * @param {string} options.address of the trainer
 * @param {object} options.run runId, stage, config
 * @param {import("@stagecraft/client").ConnectOptions} [options.connection]
 * @param {(record: Record<string, unknown>) => void} options.onUpdate each finished update's metrics
 * @returns {Promise<import("@stagecraft/contracts").trainer.Run>} as it ended
 */
export async function startRun({ address, run, connection = {}, onUpdate }) {
  const defaults = { runId: "", stage: "ppo", config: {}, resume: false, overwrite: false };
  const client = connectTrainer(address, connection);
  try {
    const { run: started } = await client.createRun({ ...defaults, runDir: "", ...run });
    return await followRun(client, started?.runId ?? "", {
      onEvent: (event) => {
        if (event.$case === "metrics" && event.value?.["kind"] === "update") onUpdate(event.value);
      },
      onAway: () => console.error("the trainer does not answer; waiting for it to come back"),
    });
  } finally {
    client.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await runScript("start-run.mjs", main);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      id: { type: "string" },
      stage: { type: "string", default: "ppo" },
      trainer: { type: "string", default: "127.0.0.1:50054" },
      plaintext: { type: "boolean", default: false },
      ca: { type: "string" },
      "token-file": { type: "string" },
    },
  });
  const { id: runId, stage, trainer: address, ca, "token-file": tokenFile } = values;
  const [file] = positionals;
  if (!runId || !file) throw new Error("usage: start-run.mjs --id NAME [--stage ppo] FILE");
  const ended = await startRun({
    address,
    run: { runId, stage, config: (await loadConfigFile(file)).values },
    connection: {
      allowPlaintext: values.plaintext,
      ...(ca ? { tls: { caFile: ca } } : {}),
      ...(tokenFile ? { token: readFileSync(tokenFile, "utf8").trim() } : {}),
    },
    onUpdate: (record) => console.log(JSON.stringify(record)),
  });
  const state = trainer.RunState[ended.state];
  console.log(JSON.stringify({ state, error: ended.error?.message, result: ended.result }));
  process.exitCode = state === "SUCCEEDED" ? 0 : 1;
}
