import { natsServerConfig, type NatsRole, type Topology } from "@stagecraft/bus";

/** The generated users of a run for nats-server's configuration, with passwords in plain text. */
export function natsUsers(topology: Topology): string {
  const how = { listen: "-", storeDir: "-", maxFileStore: "1GB" };
  const text = natsServerConfig(topology, how);
  const block = text.slice(text.indexOf("authorization"));
  return block.replace(
    /\$NATS_(\w+)_PASSWORD/g,
    (_, role: string) => `"${passwordOf(role.toLowerCase() as NatsRole)}"`,
  );
}

/** Of a user on a broker that only this test reaches. */
export function passwordOf(role: NatsRole): string {
  return `${role}-pw`;
}
