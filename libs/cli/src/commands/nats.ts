import type { Command } from "commander";
import { deploymentTopology, setUpTopology } from "@stagecraft/bus";
import { topologyOptions } from "@stagecraft/service-kit";
import type { CommandScope } from "../app/command.js";
import { addBusFlags, openBus, readBusConfig } from "../flags/bus-flags.js";
import { alignRows } from "../report/result-text.js";
import { examplesText } from "./stage-command.js";
import { wholeNumberFlag } from "./cluster-flags.js";

const EXAMPLES = [
  "npx stagecraft nats setup",
  "npx stagecraft nats setup --nats-url nats://10.0.0.5:4222 --allow-plaintext --deployment main --replicas 3",
];

/** An admin sets up what the others may not change: room for weights that a trainer cannot make grow. */
const START_BYTES = 4 * 1024 ** 3;

interface SetupFlags {
  replicas: number;
  json?: boolean;
}

/** `stagecraft nats setup`: what a deployment needs on the broker, before anything starts. */
export function natsCommand(command: Command, { io }: CommandScope): void {
  const setup = addBusFlags(command.command("setup"))
    .description("create streams, consumers and buckets, or bring them to their settings")
    .addOption(wholeNumberFlag("--replicas", "copies of everything", 1, { min: 1 }))
    .option("--json", "one JSON object a line")
    .addHelpText("after", examplesText(EXAMPLES));
  setup.action(async () => {
    const { replicas, json } = setup.opts<SetupFlags>();
    const config = await readBusConfig(setup);
    await using bus = await openBus(config);
    const sized = topologyOptions({ ...config, natsReplicas: replicas });
    const options = { ...sized, weightsStartBytes: START_BYTES };
    const parts = await setUpTopology(bus, deploymentTopology(config.deployment, options));
    const rows = parts.map(({ kind, name, outcome }) => [`${kind} ${name}`, outcome] as const);
    const text = [`deployment ${config.deployment} on ${config.natsUrl}`, ...alignRows(rows)].join(
      "\n",
    );
    io.out.write(json ? parts.map((part) => `${JSON.stringify(part)}\n`).join("") : `${text}\n`);
  });
  command.addHelpText("after", examplesText(EXAMPLES));
}
