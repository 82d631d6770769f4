import { DEAD_PREFIX } from "./dead-letters.js";
import { CANARY_SUBJECT, modelsBucket, type Topology } from "./topology.js";

/** Who may be on the bus. `admin` sets up streams and looks after dead letters; `observer` only hears progress. */
export const NATS_ROLES = [
  "admin",
  "trainer",
  "policy",
  "reward-model",
  "rollout",
  "gateway",
  "observer",
] as const;
export type NatsRole = (typeof NATS_ROLES)[number];

/** Subjects a user may publish to and subscribe to. */
export interface NatsPermissions {
  publish: readonly string[];
  subscribe: readonly string[];
}

/** PEM files of the NATS server; clients must show a certificate of `clientCaFile` when it is given. */
export interface NatsTlsFiles {
  certFile: string;
  keyFile: string;
  clientCaFile?: string;
}

/**
 * The least that each role needs once `ensureTopology` has been run by an admin. A rollout worker can
 * neither announce weights nor publish tasks nor consume rollouts; a policy can publish nothing. Every
 * user's answers come to an inbox of its own, which the others cannot hear.
 */
function natsPermissions(role: NatsRole, topology: Topology): NatsPermissions {
  const { deployment, subjects, weightsBucket, promptsConsumer, rolloutsConsumer, streams } =
    topology;
  const inbox = `${inboxPrefix(role)}.>`;
  const names = [...streams.map(({ name }) => name), `KV_${weightsBucket}`, `OBJ_${weightsBucket}`];
  const look = [
    "$JS.API.INFO",
    ...names.map((name) => `$JS.API.STREAM.INFO.${name}`),
    ...[promptsConsumer, rolloutsConsumer].map(
      ({ stream, durable }) => `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
    ),
  ];
  const take = ({ stream, durable }: { stream: string; durable: string }) => [
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
    `$JS.ACK.${stream}.${durable}.>`,
  ];
  const readWeights = [
    `$JS.API.STREAM.MSG.GET.KV_${weightsBucket}`,
    `$JS.API.DIRECT.GET.KV_${weightsBucket}.>`,
    ...getFrom(`OBJ_${weightsBucket}`),
  ];
  const models = `OBJ_${modelsBucket(deployment)}`;
  const readModels = [`$JS.API.STREAM.INFO.${models}`, ...getFrom(models)];
  // Which version is in use; the models themselves are the admin's.
  const registry = modelsBucket(deployment);
  const changeRegistry = [
    ...["STREAM.INFO", "STREAM.MSG.GET"].map((call) => `$JS.API.${call}.KV_${registry}`),
    ...[`$JS.API.DIRECT.GET.KV_${registry}.>`, `$KV.${registry}.>`],
  ];
  const hearWeights = `$KV.${weightsBucket}.>`;
  switch (role) {
    case "admin":
      return { publish: [">"], subscribe: [">"] };
    case "trainer":
      return {
        publish: [
          ...look,
          ...take(rolloutsConsumer),
          ...readWeights,
          ...readModels,
          ...[subjects.prompts, subjects.progress, `${DEAD_PREFIX}${deployment}.rollouts`],
          ...[`$KV.${weightsBucket}.>`, `$O.${weightsBucket}.>`, CANARY_SUBJECT],
          `$JS.API.STREAM.PURGE.${rolloutsConsumer.stream}`,
          `$JS.API.STREAM.PURGE.OBJ_${weightsBucket}`,
        ],
        subscribe: [inbox, hearWeights],
      };
    case "policy":
      return {
        publish: [...look, ...readWeights, ...readModels],
        subscribe: [inbox, hearWeights],
      };
    case "reward-model":
      return { publish: ["$JS.API.INFO", ...readModels], subscribe: [inbox] };
    case "gateway":
      return { publish: ["$JS.API.INFO", ...readModels, ...changeRegistry], subscribe: [inbox] };
    case "rollout":
      return {
        publish: [
          ...look,
          ...take(promptsConsumer),
          ...[subjects.rollouts, `${DEAD_PREFIX}${deployment}.prompts`],
        ],
        subscribe: [inbox],
      };
    case "observer":
      return { publish: ["$JS.API.INFO"], subscribe: [inbox, subjects.progress] };
  }
}

/** Of any copy, and of the leader where a copy has nothing. */
const getFrom = (stream: string) =>
  ["DIRECT.GET", "STREAM.MSG.GET"].map((call) => `$JS.API.${call}.${stream}`);

/** Where a user's answers come; see `JetStreamOptions.user`. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${user.replace(/[^A-Za-z0-9_-]/g, "_")}`;
}

/**
 * The configuration of a nats-server for one deployment: a user per role, whose passwords come from the
 * environment (`NATS_TRAINER_PASSWORD`, …), JetStream on disk, TLS when files are given.
 */
export function natsServerConfig(
  topology: Topology,
  options: { listen: string; storeDir: string; maxFileStore: string; tls?: NatsTlsFiles },
): string {
  const { listen, storeDir, maxFileStore, tls } = options;
  return `# nats-server for the deployment "${topology.deployment}": one user per role, with no more than it needs.
# Passwords come from the environment: NATS_TRAINER_PASSWORD and so on.
listen: ${JSON.stringify(listen)}
jetstream: { store_dir: ${JSON.stringify(storeDir)}, max_file_store: ${maxFileStore} }
${tlsBlock(tls)}${natsUsers(topology)}`;
}

/** The users of a deployment alone, as a file for nats-server to include. */
export function natsUsers(topology: Topology): string {
  const list = (subjects: readonly string[]) =>
    subjects.map((subject) => `\n          ${JSON.stringify(subject)}`).join("");
  const users = NATS_ROLES.map((role) => {
    const { publish, subscribe } = natsPermissions(role, topology);
    return `    {
      user: ${role}, password: $NATS_${role.toUpperCase().replaceAll("-", "_")}_PASSWORD
      permissions: {
        publish: { allow: [${list(publish)}
        ] }
        subscribe: { allow: [${list(subscribe)}
        ] }
      }
    }`;
  });
  return `authorization: {
  users: [
${users.join("\n")}
  ]
}
`;
}

function tlsBlock(tls: NatsTlsFiles | undefined): string {
  if (!tls) return "";
  const { certFile, keyFile, clientCaFile } = tls;
  const mutual = clientCaFile ? `, ca_file: ${JSON.stringify(clientCaFile)}, verify: true` : "";
  return `tls: { cert_file: ${JSON.stringify(certFile)}, key_file: ${JSON.stringify(keyFile)}${mutual} }\n`;
}
