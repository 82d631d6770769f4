// `npm run deploy:podman-run [-- --updates N --tag TAG --build --keep]`: PPO through the images on
// this machine. Three brokers, two policies, reward-model, two rollout workers, the trainer, and the gateway on
// PostgreSQL run as containers as Kubernetes would run them; the servers' models come from the brokers' store by
// init containers that are there before the models. While a tiny model learns, one broker and one policy are killed
// and lost without a word, and the policy is made anew in another place: the run must go on within 15 s and succeed,
// what people were given to rank must still be there, and everything must stop in good order. Nothing of it stays.
import { parseArgs } from "node:util";
import { runTool } from "../setup/main.mjs";
import { StepError } from "../setup/steps.mjs";
import { findEngine } from "./container.mjs";
import { buildImages, defaultTag, localBases, npmFile } from "./images.mjs";
import { PACKABLE } from "./pack.mjs";
import { createContainers, POLICIES, SERVICES, WORKERS } from "./podman/containers.mjs";
import { MAX_STALL_SECONDS, watchUpdates } from "./podman/faults.mjs";

const { values: flags } = parseArgs({
  options: {
    updates: { type: "string", default: "40" },
    tag: { type: "string", default: defaultTag() },
    "nats-image": { type: "string", default: "localhost/stagecraft-base/nats:bookworm" },
    "postgres-image": { type: "string", default: "localhost/stagecraft-base/postgres:bookworm" },
    build: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});
const LOST_POLICY = "policy-2";
const LOST_BROKER = "nats-1";
const CLI = "libs/cli/bin/stagecraft.mjs";
const SETUP = [CLI, "nats", "setup", "--nats-url", "nats://nats:4222"];
const STORE = ["--nats-url", "nats://nats:4222", "--nats-replicas", "3", "--allow-plaintext"];

const PROBE = `
const fs = require("node:fs");
let written = "";
try { fs.writeFileSync("/app/x", "x"); written = "/app"; } catch {}
fs.writeFileSync("/tmp/x", "x");
const tools = ["npm", "npx", "tsc", "g++", "make", "python3"].filter((tool) =>
  process.env.PATH.split(":").some((folder) => fs.existsSync(folder + "/" + tool)));
console.log(JSON.stringify({ uid: process.getuid(), written, tools }));`;

await runTool("PPO through the images, with podman", async (steps) => {
  const podman = findEngine("podman");
  if (flags.build) {
    const names = Object.keys(PACKABLE);
    const npm = { npmrc: npmFile("userconfig"), ca: npmFile("cafile") };
    await buildImages(steps, { engine: podman, names, tag: flags.tag, ...npm, ...localBases });
  }
  const { tag, "nats-image": natsImage, "postgres-image": postgresImage } = flags;
  const all = createContainers({ tag, natsImage, postgresImage });
  try {
    all.createNetwork();
    all.writeAccess();
    await steps.run("tiny models on a volume", () => all.cli("scripts/make-models.mjs", "/models"));
    await steps.run("three brokers, PostgreSQL", async () => {
      all.startPostgres();
      all.startBrokers();
      await untilItWorks(() => all.cli(...SETUP, "--allow-plaintext", "--replicas", "3"));
    });
    const brought = all.bringModels(); // before there are any
    brought.catch(() => {}); // said when it is waited for
    await steps.run("the models, into the brokers' store", () => {
      for (const name of ["policy", "reward"]) {
        all.cli(CLI, "models", "push", `/models/${name}`, `nats://${name}`, ...STORE);
      }
    });
    await steps.run("the models, from there to each server", () => brought);
    await steps.run("the services", () => all.startServices());
    const watch = watchUpdates({
      10: { what: `${LOST_BROKER} lost`, act: () => all.kill(LOST_BROKER) },
      20: { what: `${LOST_BROKER} back`, act: () => all.restart(LOST_BROKER) },
      25: { what: `${LOST_POLICY} lost`, act: () => all.kill(LOST_POLICY) },
      32: { what: `${LOST_POLICY} in a new place`, act: () => all.replace(LOST_POLICY) },
    });
    const seen = await steps.run(`${flags.updates} PPO updates, a broker and a policy lost`, () =>
      all.followCli(watch.onLine, "scripts/drive.mjs", flags.updates, ...POLICIES, ...WORKERS),
    );
    const checked = SERVICES.map((name) =>
      checkLockedDown(name, all.exec(name, ["node", "-e", PROBE])),
    );
    const exitCodes = await steps.run("SIGTERM, in order", () => SERVICES.map(all.stop));
    const stalls = await watch.stalls();
    console.log(JSON.stringify({ ...JSON.parse(seen), stalls, checked, exitCodes }, null, 2));
    const isLate = stalls.some(({ seconds }) => seconds > MAX_STALL_SECONDS);
    return isLate || stalls.length < 4 || exitCodes.some(({ code }) => code !== 0) ? 1 : 0;
  } catch (error) {
    all.printLogs();
    throw error;
  } finally {
    if (flags.keep) steps.note(`kept: podman ps --filter name=${all.id}`);
    else all.removeAll();
    all[Symbol.dispose]();
  }
});

/**
 * Servers that have just been started need a moment to know each other.
 * @param {() => unknown} attempt
 */
async function untilItWorks(attempt, seconds = 90) {
  for (const endsAt = Date.now() + seconds * 1000; ;) {
    try {
      return attempt();
    } catch (error) {
      if (Date.now() > endsAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/**
 * Inside the running container: not root, nothing but /tmp can be written, no build tools.
 * @param {string} name
 * @param {string} probed
 */
function checkLockedDown(name, probed) {
  const found = JSON.parse(probed);
  if (found.uid === 0 || found.written !== "" || found.tools.length > 0) {
    throw new StepError(`${name} is not locked down: ${JSON.stringify(found)}`);
  }
  return name;
}
