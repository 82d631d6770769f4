// Prints the nats-server configuration of a deployment: node libs/bus/tools/write-nats-config.mjs [DEPLOYMENT]
// `--example` writes examples/nats/nats.conf and the users of deploy/kustomize/components/secure (the
// deployment "main"); a test compares them.
import { writeFile } from "node:fs/promises";
import { exampleNatsConfig, kubernetesNatsUsers } from "../dist/example-nats-config.js";

const argument = process.argv[2] ?? "main";
if (argument === "--example") {
  const file = new URL("../../../examples/nats/nats.conf", import.meta.url);
  await writeFile(file, exampleNatsConfig("main"));
  const users = new URL("../../../deploy/kustomize/components/secure/users.conf", import.meta.url);
  await writeFile(users, kubernetesNatsUsers());
} else {
  process.stdout.write(exampleNatsConfig(argument));
}
