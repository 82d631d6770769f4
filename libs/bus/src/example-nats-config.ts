import { natsServerConfig, natsUsers } from "./nats-users.js";
import { deploymentTopology } from "./topology.js";

/** examples/nats/nats.conf: TLS with client certificates, users with passwords from the environment. */
export function exampleNatsConfig(deployment: string): string {
  return natsServerConfig(deploymentTopology(deployment), {
    listen: "0.0.0.0:4222",
    storeDir: "/var/lib/nats",
    maxFileStore: "8GB",
    tls: {
      certFile: "/etc/nats/tls/server.crt",
      keyFile: "/etc/nats/tls/server.key",
      clientCaFile: "/etc/nats/tls/ca.crt",
    },
  });
}

/** The users of the deployment `main` in Kubernetes: deploy/kustomize/components/secure/users.conf. */
export function kubernetesNatsUsers(): string {
  return `# Written by \`npm run docs:nats\`: one user for each role of the deployment "main".\n${natsUsers(deploymentTopology("main"))}`;
}
