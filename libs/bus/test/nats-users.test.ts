import { readFile } from "node:fs/promises";
import {
  acquireLease,
  createJetStreamBus,
  DEAD_PREFIX,
  ensureTopology,
  natsServerConfig,
  NATS_ROLES,
  deploymentTopology,
  modelsBucket,
  type EventBus,
  type NatsRole,
} from "@stagecraft/bus";
import { hasNatsServer, NATS_MISSING, startNatsServer, waitFor } from "@stagecraft/testing";
import { connect, headers } from "nats";
import { describe, expect, it } from "vitest";
import { exampleNatsConfig, kubernetesNatsUsers } from "../src/example-nats-config.js";

const topology = deploymentTopology("r1");
const data = new Uint8Array([1]);

/** The generated users, with passwords in place of the environment's. */
function authorization(): string {
  const how = { listen: "-", storeDir: "-", maxFileStore: "1GB" };
  const text = natsServerConfig(topology, how);
  const block = text.slice(text.indexOf("authorization"));
  const nameOf = (role: string) => role.toLowerCase().replaceAll("_", "-");
  return block.replace(/\$NATS_(\w+)_PASSWORD/g, (_, role: string) => `"${nameOf(role)}-pw"`);
}

const secured = () =>
  startNatsServer({ config: authorization(), maxFileStoreBytes: 8 * 1024 ** 3 });
const as = (url: string, role: NatsRole) =>
  createJetStreamBus({ servers: url, user: role, password: `${role}-pw`, requestTimeoutMs: 1000 });

describe("NATS's files that are written from the topology", () => {
  it.each([
    ["examples/nats/nats.conf", exampleNatsConfig("main")],
    ["deploy/kustomize/components/secure/users.conf", kubernetesNatsUsers()],
  ])("%s is what it needs now", async (name, wanted) => {
    const text = await readFile(new URL(`../../../${name}`, import.meta.url), "utf8");
    expect(text, "out of date: npm run docs:nats").toBe(wanted);
  });
});

describe.skipIf(!hasNatsServer())(
  `users of NATS${hasNatsServer() ? "" : `: ${NATS_MISSING}`}`,
  () => {
    it("can do their work, tasks to rollouts to weights", async () => {
      await using nats = await secured();
      {
        await using admin = await as(nats.url, "admin");
        await ensureTopology(admin, topology);
        await admin.ensureBucket(modelsBucket("r1"), { startBytes: 1024 * 1024 });
        await (await admin.objects(modelsBucket("r1"))).put("tiny", data);
      }
      await using trainer = await as(nats.url, "trainer");
      await using worker = await as(nats.url, "rollout");
      await using policy = await as(nats.url, "policy");
      await using observer = await as(nats.url, "observer");
      for (const bus of [trainer, worker, policy]) await ensureTopology(bus, topology);
      await trainer.checkReady(2000);

      const { subjects, promptsConsumer, rolloutsConsumer, weightsBucket } = topology;
      await using progress = await observer.listen(subjects.progress);
      for (const id of ["t1", "t2"]) await trainer.publish(subjects.prompts, data, { id });
      await using tasks = await worker.consume(promptsConsumer);
      await (await tasks.next())!.term("unreadable"); // stores a dead letter
      const task = (await tasks.next())!;
      await worker.publish(subjects.rollouts, data, { id: "t2/rollout" });
      await task.ack();
      await using rollouts = await trainer.consume(rolloutsConsumer);
      await (await rollouts.next())!.ack();
      await trainer.trimSettled(rolloutsConsumer);
      trainer.broadcast(subjects.progress, data);
      for await (const message of progress) {
        expect(message.data).toEqual(data);
        break;
      }

      const written = await trainer.keyValue(weightsBucket);
      await using _lease = await acquireLease(written, { key: "trainer", holder: "test" });
      const stop = new AbortController();
      const heard: number[] = [];
      const listening = (async () => {
        const values = (await policy.keyValue(weightsBucket)).watch("weights", stop.signal);
        for await (const { value } of values) heard.push(value[0]!);
      })().catch(() => undefined);
      await written.put("weights", Uint8Array.of(7));
      await waitFor(() => heard.includes(7));
      stop.abort();
      await listening;
      await (await trainer.objects(weightsBucket)).put("v1", data);
      await (await trainer.objects(weightsBucket)).delete("v1");
      await (await trainer.objects(weightsBucket)).put("v1", data);
      const read = async (bus: EventBus, bucket: string, name: string) => {
        await bus.streamInfo(`OBJ_${bucket}`);
        const fetched = await (await bus.objects(bucket)).get(name);
        const chunks: Uint8Array[] = [];
        for await (const chunk of fetched!.chunks) chunks.push(chunk);
        expect(Buffer.concat(chunks)).toEqual(Buffer.from(data));
      };
      await read(policy, weightsBucket, "v1");
      await using rewardModel = await as(nats.url, "reward-model");
      await using gateway = await as(nats.url, "gateway");
      for (const bus of [policy, trainer, rewardModel, gateway]) {
        await read(bus, modelsBucket("r1"), "tiny");
      }
      const registry = await gateway.keyValue(modelsBucket("r1"));
      const first = await registry.update("team/list.json", data, 0);
      await registry.update("team/list.json", data, first);
      expect((await registry.get("team/list.json"))?.value).toEqual(data);
    });

    it("can do nothing else: a rollout worker cannot announce weights", async () => {
      await using nats = await secured();
      {
        await using admin = await as(nats.url, "admin");
        await ensureTopology(admin, topology);
      }
      const { subjects, weightsBucket, promptsConsumer, rolloutsConsumer } = topology;
      const weights = `$KV.${weightsBucket}.weights`;
      const next = (spec: { stream: string; durable: string }) =>
        `$JS.API.CONSUMER.MSG.NEXT.${spec.stream}.${spec.durable}`;
      const forbidden: Record<Exclude<NatsRole, "admin">, string[]> = {
        rollout: [
          ...[weights, subjects.prompts, next(rolloutsConsumer), "$JS.API.STREAM.CREATE.X"],
          ...[`${DEAD_PREFIX}r1.rollouts`, `${DEAD_PREFIX}other.prompts`],
        ],
        policy: [weights, subjects.prompts, subjects.rollouts, `${DEAD_PREFIX}r1.prompts`],
        trainer: [subjects.rollouts, next(promptsConsumer), "$JS.API.STREAM.DELETE.DEAD"],
        "reward-model": [weights, subjects.prompts, `$KV.${modelsBucket("r1")}.x`],
        gateway: [weights, subjects.prompts, `$O.${modelsBucket("r1")}.M.x`],
        observer: [weights, subjects.prompts, subjects.rollouts, subjects.progress],
      };
      for (const [role, list] of Object.entries(forbidden)) {
        const nc = await connect({ servers: nats.url, user: role, pass: `${role}-pw` });
        const refused: string[] = [];
        void (async () => {
          for await (const { data: facts, permissionContext } of nc.status()) {
            refused.push(permissionContext?.subject ?? String(facts));
          }
        })();
        for (const subject of list) nc.publish(subject, data);
        for (const other of NATS_ROLES) {
          if (other === role) continue;
          nc.subscribe(`_INBOX_${other}.>`, { callback: () => undefined });
        }
        await nc.flush();
        const others = NATS_ROLES.filter((other) => other !== role).map((o) => `_INBOX_${o}.>`);
        await waitFor(() => refused.length >= list.length + others.length);
        expect(refused.sort()).toEqual([...list, ...others].sort());
        await nc.close();
      }
      await using admin = await as(nats.url, "admin");
      expect(await (await admin.keyValue(weightsBucket)).get("weights")).toBeUndefined();
      for (const { stream } of [promptsConsumer, rolloutsConsumer]) {
        expect((await admin.streamInfo(stream)).lastSequence).toBe(0);
      }
    });

    it("get nothing done by an admin who requeues a letter that a rollout worker forged", async () => {
      await using nats = await secured();
      await using admin = await as(nats.url, "admin");
      await ensureTopology(admin, topology);
      const nc = await connect({
        ...{ servers: nats.url, user: "rollout", pass: "rollout-pw" },
        inboxPrefix: "_INBOX_rollout",
      });
      const target = "$JS.API.STREAM.DELETE.KV_weights_r1";
      const forged = headers();
      for (const name of ["Stagecraft-Dead-Subject", "Nats-Subject"]) forged.set(name, target);
      await nc.jetstream().publish(`${DEAD_PREFIX}r1.prompts`, data, { headers: forged });
      await nc.close();
      const [letter] = await admin.deadLetters.list();
      expect(letter!.subject).toBe(topology.subjects.prompts);
      await admin.deadLetters.requeue(letter!.sequence);
      await admin.keyValue(topology.weightsBucket); // throws when its stream is gone
      expect((await admin.streamInfo(topology.promptsConsumer.stream)).messages).toBe(1);
    });

    it("are refused with the wrong password, at once and saying so", async () => {
      await using nats = await secured();
      const wrong = createJetStreamBus({ servers: nats.url, user: "trainer", password: "no" });
      await expect(wrong).rejects.toMatchObject({ code: "unauthenticated" });
    });
  },
);
