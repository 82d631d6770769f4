// Prints the nats-server configuration of a deployment: node libs/bus/tools/write-nats-config.mjs [DEPLOYMENT]
// `--example` writes examples/nats/nats.conf (the deployment "main"); a test compares the two.
import { writeFile } from "node:fs/promises";
import { exampleNatsConfig } from "../dist/example-nats-config.js";

const argument = process.argv[2] ?? "main";
if (argument === "--example") {
  const file = new URL("../../../examples/nats/nats.conf", import.meta.url);
  await writeFile(file, exampleNatsConfig("main"));
} else {
  process.stdout.write(exampleNatsConfig(argument));
}
