// The services as containers of podman, as Kubernetes would run them: a user of their own, root file system
// read-only, no capabilities, the ConfigMaps of deploy/kustomize/base with three brokers.
import { execFile, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { root } from "../../setup/main.mjs";
import { StepError } from "../../setup/steps.mjs";
import { engineOutput, IMAGE_PREFIX, ULIMITS } from "../container.mjs";

const KUSTOMIZE = join(root, "deploy", "kustomize");
const CONFIG = join(KUSTOMIZE, "base", "config");
const STOP_SECONDS = 60;

export const BROKERS = ["nats-0", "nats-1", "nats-2"];
export const POLICIES = ["policy-1", "policy-2"];
export const WORKERS = ["rollout-1", "rollout-2"];
/** Stop order: those that hold work first. */
export const SERVICES = ["trainer", ...WORKERS, ...POLICIES, "reward-model", "gateway"];

/** Those that bring their models before they start, each onto a volume of its own. */
export const SERVERS = [...POLICIES, "reward-model"];

/** As the manifests' init container bring-models is limited. */
const BRING_LIMITS = ["--memory", "512m", "--cpus", "1"];

const LOCKED_DOWN = [
  ...["--read-only", "--tmpfs", "/tmp:rw,size=64m", "--user", "10001:10001"],
  ...["--cap-drop", "all", "--security-opt", "no-new-privileges", ...ULIMITS],
];

/** What the ConfigMap of NATS has, and from which files. */
const NATS_FILES = {
  "nats.conf": join(CONFIG, "nats.conf"),
  "tls.conf": join(CONFIG, "nats-tls.conf"),
  "routes-tls.conf": join(CONFIG, "nats-tls.conf"),
  "users.conf": join(CONFIG, "nats-users.conf"),
  "cluster.conf": join(KUSTOMIZE, "components", "brokers-3", "cluster.conf"),
};

const WITH_CONFIG = ["--config", "/etc/stagecraft/config.yaml"];

/** @param {string} name of a server */
const bringing = (name) => `${name}-bring-models`;

/**
 * @typedef {"policy" | "reward-model" | "rollout" | "trainer" | "gateway"} Kind
 *
 * @param {object} options
 * @param {string} options.tag
 * @param {string} options.natsImage
 * @param {string} options.postgresImage
 */
export function createContainers({ tag, natsImage, postgresImage }) {
  const id = `stagecraft-run-${process.pid}`;
  const scratch = mkdtempSync(join(tmpdir(), `${id}-`));
  const access = ["--volume", `${join(scratch, "access")}:/etc/access:ro`];
  const password = randomBytes(24).toString("hex");
  const volumes = ["models", "data", "postgres", ...BROKERS, ...SERVERS];

  /** @param {...string} args */
  const run = (...args) => engineOutput("podman", args, { timeoutMs: 600_000 });

  /**
   * The same while something else goes on.
   * @param {...string} args
   */
  const beside = (...args) => promisify(execFile)("podman", args);

  /**
   * A named volume of this run; `U` gives it to the container's user.
   * @param {string} name
   * @param {string} path
   */
  const volume = (name, path, options = "U") => ["--volume", `${id}-${name}:${path}:${options}`];

  /** @param {readonly string[]} command what runs in the cli image, on the network of the run */
  const cliArgs = (command) => [
    ...["run", "--rm", "--network", id, ...LOCKED_DOWN],
    ...["--volume", `${join(root, "deploy", "scripts")}:/app/scripts:ro`],
    ...[...volume("models", "/models"), ...access, "--entrypoint", "node"],
    ...[`${IMAGE_PREFIX}/cli:${tag}`, ...command],
  ];

  /**
   * Its own name and, without its number, that of its Service: policy-1 is also policy.
   * @param {string} name
   * @param {readonly string[]} options
   * @param {string} image
   * @param {...string} command
   */
  function start(name, options, image, ...command) {
    const names = new Set([name, name.replace(/-\d$/, ""), `${name}.${name.replace(/-\d$/, "")}`]);
    const aliases = [...names].flatMap((alias) => ["--network-alias", alias]);
    return run(
      ...["run", "--detach", "--name", `${id}-${name}`, "--network", id, ...aliases],
      ...[...LOCKED_DOWN, ...options, image, ...command],
    );
  }

  /** Debian's server is 2.9: it lacks what production asks of 2.12, one setting. */
  function startBrokers() {
    const folder = join(scratch, "nats");
    mkdirSync(folder, { mode: 0o755 });
    for (const [name, from] of Object.entries(NATS_FILES)) {
      const text = readFileSync(from, "utf8").replace(/^\s*sync_interval:.*$/m, "");
      writeFileSync(join(folder, name), text, { mode: 0o644 });
    }
    for (const name of BROKERS) {
      const options = ["--volume", `${folder}:/etc/nats:ro`, "--env", `POD_NAME=${name}`];
      const command = ["nats-server", "--config", "/etc/nats/cluster.conf"];
      start(name, [...options, ...volume(name, "/data")], natsImage, ...command);
    }
  }

  /** Debian's PostgreSQL; it wants to know its user by name, which podman sees to. */
  function startPostgres() {
    const file = join(scratch, "password");
    writeFileSync(file, password, { mode: 0o644 });
    const bin = "/usr/lib/postgresql/15/bin";
    const how = `--pgdata /data/postgres --username stagecraft --pwfile /etc/password --auth scram-sha-256`;
    const allow = `echo "host all all all scram-sha-256" >> /data/postgres/pg_hba.conf`;
    const create = `[ -e /data/postgres/PG_VERSION ] || { ${bin}/initdb ${how} && ${allow}; }`;
    const serve = `exec ${bin}/postgres -D /data/postgres -c listen_addresses='*' -c unix_socket_directories=/tmp`;
    const options = ["--volume", `${file}:/etc/password:ro`, ...volume("postgres", "/data")];
    start("postgres", options, postgresImage, "sh", "-c", `${create} && ${serve}`);
  }

  /** The Secret of Kubernetes: what servers accept, and what workers and the driver show. */
  function writeAccess() {
    const [worker, admin] = [randomBytes(24).toString("hex"), randomBytes(24).toString("hex")];
    mkdirSync(join(scratch, "access"), { mode: 0o755 });
    const tokens = `worker=generate+score:${worker},driver=admin:${admin}`;
    for (const [name, text] of Object.entries({ tokens, worker, admin })) {
      writeFileSync(join(scratch, "access", name), text, { mode: 0o644 });
    }
  }

  /**
   * What a service is started with, its volumes but for its settings' included.
   * @param {Kind} kind
   */
  function settingsOf(kind) {
    const config = `${join(CONFIG, `${kind}.yaml`)}:/etc/stagecraft/config.yaml:ro`;
    const prefix = `STAGECRAFT_${kind.toUpperCase().replace("-", "_")}`;
    const settings = {
      TOKENS_FILE: "/etc/access/tokens",
      ...(["policy", "rollout", "trainer"].includes(kind) ? { NATS_REPLICAS: "3" } : {}),
      ...(["policy", "reward-model", "trainer"].includes(kind) ? { THREADS: "1" } : {}),
      ...(["rollout", "gateway"].includes(kind) ? { CALL_TOKEN_FILE: "/etc/access/worker" } : {}),
      ...(kind === "gateway"
        ? { DATABASE_URL: `postgres://stagecraft:${password}@postgres/postgres` }
        : {}),
    };
    const environment = Object.entries(settings).flatMap(([field, value]) => [
      "--env",
      `${prefix}_${field}=${value}`,
    ]);
    return ["--volume", config, ...access, ...environment];
  }

  /** @param {string} name */
  const serverKind = (name) => /** @type {Kind} */ (name.replace(/-\d$/, ""));

  /**
   * @param {string} name
   * @param {Kind} kind
   * @param {readonly string[]} mounts
   */
  function startService(name, kind, mounts) {
    start(name, [...settingsOf(kind), ...mounts], `${IMAGE_PREFIX}/${kind}:${tag}`, ...WITH_CONFIG);
  }

  /** @param {string} name of a server: what its pod has on its emptyDir */
  const modelsOf = (name) => volume(name, "/models");

  /** @param {string} name of a server: its pod's init container, which ends once the models are there */
  function bringingArgs(name) {
    const kind = serverKind(name);
    return [
      ...["run", "--name", `${id}-${bringing(name)}`, "--network", id, ...LOCKED_DOWN],
      ...[...BRING_LIMITS, ...settingsOf(kind), ...modelsOf(name)],
      ...[`${IMAGE_PREFIX}/${kind}:${tag}`, ...WITH_CONFIG, "--bring-models", "true"],
    ];
  }

  const everything = [...BROKERS, "postgres", ...SERVERS.map(bringing), ...SERVICES];

  return {
    id,
    createNetwork: () => run("network", "create", id),
    /** The init containers of all servers; they wait for the models. Resolves when each has ended well. */
    bringModels: () => Promise.all(SERVERS.map((name) => beside(...bringingArgs(name)))),
    writeAccess,
    startBrokers,
    startPostgres,
    startServices() {
      for (const name of SERVERS) startService(name, serverKind(name), modelsOf(name));
      for (const name of WORKERS) startService(name, "rollout", []);
      const prompts = volume("models", "/data/in", "ro");
      startService("trainer", "trainer", [...volume("data", "/data"), ...prompts]);
      startService("gateway", "gateway", []);
    },
    /** @param {...string} command */
    cli: (...command) => run(...cliArgs(command)),
    /**
     * The same, telling of every line as it comes; resolves with the last one.
     * @param {(line: string) => void} onLine
     * @param {...string} command
     */
    async followCli(onLine, ...command) {
      const child = spawn("podman", cliArgs(command), { stdio: ["ignore", "pipe", "inherit"] });
      const ended = once(child, "close");
      let last = "";
      for await (const line of createInterface(child.stdout)) onLine((last = line));
      const [code] = await ended;
      if (code !== 0) throw new StepError(`${command.join(" ")} ended with ${code}: ${last}`);
      return last;
    },
    /** @param {string} name gone without a word, and its address with it */
    kill: (name) => beside("kill", "--signal", "KILL", `${id}-${name}`),
    /** @param {string} name */
    restart: (name) => beside("start", `${id}-${name}`),
    /** @param {string} name a server in a new place, as the pod that follows a lost one: nothing of that is left */
    async replace(name) {
      await beside("rm", "--force", `${id}-${name}`, `${id}-${bringing(name)}`);
      await beside("volume", "rm", `${id}-${name}`);
      await beside(...bringingArgs(name));
      startService(name, serverKind(name), modelsOf(name));
    },
    /** @param {string} name @param {readonly string[]} command */
    exec: (name, command) => run("exec", `${id}-${name}`, ...command),
    /** @param {string} name */
    stop(name) {
      const startMs = Date.now();
      run("stop", "--time", String(STOP_SECONDS), `${id}-${name}`);
      const code = Number(run("inspect", "-f", "{{.State.ExitCode}}", `${id}-${name}`));
      return { name, code, seconds: Math.round((Date.now() - startMs) / 100) / 10 };
    },
    printLogs() {
      for (const name of everything) {
        process.stderr.write(`--- ${name}\n`);
        spawnSync("podman", ["logs", "--tail", "15", `${id}-${name}`], { stdio: ["ignore", 2, 2] });
      }
    },
    removeAll() {
      const names = everything.map((name) => `${id}-${name}`);
      engineOutput("podman", ["rm", "--force", "--ignore", "--time", "1", ...names]);
      engineOutput("podman", ["network", "rm", "--force", id]);
      engineOutput("podman", [
        "volume",
        "rm",
        "--force",
        ...volumes.map((name) => `${id}-${name}`),
      ]);
    },
    [Symbol.dispose]: () => rmSync(scratch, { recursive: true, force: true }),
  };
}
