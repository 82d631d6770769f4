import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TrainerClient } from "@stagecraft/client";
import { trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { tempDir } from "@stagecraft/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RunDetails, RunList } from "../src/http/api/index.js";
import { createRunCatalog } from "../src/runs/run-catalog.js";
import type { Database } from "../src/store/database.js";
import { emptyDatabase, openTestDatabase } from "./databases.js";
import { auditOf, testServer } from "./http-kit.js";

/** A trainer that answers each change and then lists no runs until it is said to be back. */
function awayAfterEachChange(runIds: readonly string[]) {
  const made = { isAway: false };
  const { PENDING, RUNNING, PAUSED, CANCELLED } = trainer.RunState;
  const runOf = (runId: string, state: trainer.RunState) =>
    trainer.Run.fromPartial({ runId, state, stage: "sft" });
  const change = (state: trainer.RunState) => (request: { runId: string }) => {
    made.isAway = true;
    return Promise.resolve({ run: runOf(request.runId || "sft-7", state) });
  };
  const client = {
    async listRuns() {
      if (made.isAway) throw new StagecraftError("unavailable", "away");
      return { runs: runIds.map((runId) => runOf(runId, RUNNING)), nextPageToken: "" };
    },
    ...{ createRun: change(PENDING), pauseRun: change(PAUSED) },
    ...{ resumeRun: change(RUNNING), cancelRun: change(CANCELLED) },
  };
  return { client: client as never as TrainerClient, made };
}

describe("runs over HTTP", () => {
  let database: Database;
  let dir: string;
  beforeAll(async () => {
    database = await openTestDatabase();
    dir = await mkdtemp(join(tmpdir(), "stagecraft-runs-http-"));
    const run = join(dir, "mine", "sft");
    await mkdir(run, { recursive: true });
    const record = {
      ...{ stage: "sft", state: "failed", config: { steps: 9 }, versions: {}, attempts: 1 },
      ...{ startedAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:01:00Z" },
      error: { code: "internal", message: "<script>alert(1)</script>" },
    };
    await writeFile(join(run, "run.json"), JSON.stringify(record));
    await writeFile(join(run, "metrics.jsonl"), '{"kind":"train","step":3,"loss":2}\n');
  });
  beforeEach(() => emptyDatabase(database.db));
  afterAll(async () => {
    await database?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const told = async () =>
    (await auditOf(database)).map(({ action, subject, details }) => [action, subject, details]);
  const open = () => testServer(database, { runs: createRunCatalog({ dirs: [dir] }) });

  it("are for operators alone, the pages of reports included", async () => {
    const { server, signIn } = await open();
    await using _server = server;
    const { call } = await signIn("Rita", "rater", "writer");
    const paths = ["runs", "runs/stages", "runs/x", "runs/x/events", "runs/x/answers"];
    for (const path of [...paths, "runs/report?ids=x"]) {
      expect((await call("GET", `/api/${path}`)).status, path).toBe(403);
    }
    for (const path of ["runs", "runs/x/pause", "runs/x/resume", "runs/x/cancel"]) {
      expect((await call("POST", `/api/${path}`)).status, path).toBe(403);
    }
  });

  it("lists a folder's runs, tells one, and sends its report as a file that reads no cookie", async () => {
    const { server, signIn } = await open();
    await using _server = server;
    const { call } = await signIn("Olga", "operator");
    const { body: list } = await call<RunList>("GET", "/api/runs");
    expect(list).toMatchObject({ canStart: false, problems: [] });
    const [run] = list.runs;
    expect(run).toMatchObject({
      ...{ name: "mine/sft", stage: "sft", state: "failed", isControlled: false },
      progress: { done: 3, total: 9 },
    });
    const { body: details } = await call<RunDetails>("GET", `/api/runs/${run!.runId}`);
    expect(details.verdict).toContain("Failed, at step 3");
    const report = await call<string>("GET", `/api/runs/report?ids=${run!.runId}`);
    expect(report.headers["content-security-policy"]).toMatch(
      /^sandbox allow-scripts; default-src/,
    );
    expect(report.body).not.toContain("<script>alert");
    expect((await call("GET", "/api/runs/unknown")).status).toBe(404);
    const pause = await call("POST", `/api/runs/${run!.runId}/pause`);
    expect(pause.error).toMatchObject({ code: "failed_precondition" });
    expect((await call("GET", "/api/runs/stages")).error!.advice).toContain("--trainer-address");
  });

  it("are named in the audit when steered: `done` though the trainer is away right after", async () => {
    const { client, made } = awayAfterEachChange(["live"]);
    const runs = createRunCatalog({ dirs: [], trainer: client });
    const { server, signIn } = await testServer(database, { runs });
    await using _server = server;
    const { call } = await signIn("Olga", "operator");
    const { body: list } = await call<RunList>("GET", "/api/runs");
    const { runId } = list.runs[0]!;
    for (const [action, state] of [
      ["pause", "paused"],
      ["resume", "running"],
      ["cancel", "cancelled"],
    ] as const) {
      made.isAway = false;
      const { status, body } = await call("POST", `/api/runs/${runId}/${action}`);
      expect({ status, ...body }, action).toMatchObject({ status: 200, runId, state });
    }
    expect(await told()).toEqual(
      ["pause", "resume", "cancel"].flatMap((action) => [
        [`run.${action}`, "live", { event: "asked" }],
        [`run.${action}`, "live", { event: "done" }],
      ]),
    );
  });

  it("are named in the audit when started: `done` though the trainer is away right after", async () => {
    const { client } = awayAfterEachChange([]);
    const runs = createRunCatalog({ dirs: [], trainer: client });
    const { server, signIn } = await testServer(database, { runs });
    await using _server = server;
    const { call } = await signIn("Olga", "operator");
    const started = await call("POST", "/api/runs", { stage: "sft", name: "", config: {} });
    expect(await told()).toEqual([
      ["run.start", "sft", { event: "asked" }],
      ["run.start", "sft", { event: "done", run: "sft-7" }],
    ]);
    expect(started).toMatchObject({ status: 200, body: { name: "sft-7", state: "pending" } });
  });

  it("say whose models and data they were made from, and who used theirs", async () => {
    await using root = await tempDir();
    const at = (...parts: string[]) => join(root.path, ...parts);
    const make = async (name: string, inputs: Record<string, string>) => {
      const record = {
        stage: name,
        state: "succeeded",
        config: {},
        versions: {},
        attempts: 1,
        inputs,
      };
      const times = { startedAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:01:00Z" };
      await mkdir(at(name, "model"), { recursive: true });
      await writeFile(at(name, "run.json"), JSON.stringify({ ...record, ...times }));
    };
    await make("base", { [at("corpus.txt")]: "1" });
    const lineage = {
      formatVersion: 1,
      stage: "base",
      model: { sha256: "w1" },
      parents: [],
      data: [],
    };
    await writeFile(
      at("base", "model", "lineage.json"),
      JSON.stringify({ ...lineage, ancestors: [] }),
    );
    const weights = at("base", "model", "model.safetensors");
    await make("sft", { [weights]: "w1", [at("base", "outputs", "x.jsonl")]: "2" });
    await make("old", { [weights]: "w0" });
    await make("moved", { "/elsewhere/base/model/model.safetensors": "w1" });
    const catalog = createRunCatalog({ dirs: [root.path] });
    const { runs } = await catalog.list();
    const details = (name: string) => catalog.details(runs.find((run) => run.name === name)!.runId);
    expect((await details("sft")).madeFrom).toMatchObject([{ name: "base", isChanged: false }]);
    expect((await details("old")).madeFrom).toMatchObject([{ name: "base", isChanged: true }]);
    expect((await details("moved")).madeFrom).toMatchObject([{ name: "base", isChanged: false }]);
    const { madeFrom, usedBy } = await details("base");
    expect(madeFrom).toEqual([]);
    expect(usedBy.map(({ name }) => name).sort()).toEqual(["moved", "old", "sft"]);
  });

  it("are told no longer once the session has ended, or the role is taken", async () => {
    const catalog = createRunCatalog({ dirs: [dir] });
    let begin = () => {};
    const follow: typeof catalog.follow = (...args) => (begin(), catalog.follow(...args));
    const { server, signIn } = await testServer(database, { runs: { ...catalog, follow } });
    await using _server = server;
    const { call, id } = await signIn("Olga", "operator");
    const { body: list } = await call<RunList>("GET", "/api/runs");
    const open = async () => {
      const begun = new Promise<void>((resolve) => (begin = resolve));
      const ended = call<string>("GET", `/api/runs/${list.runs[0]!.runId}/events`);
      await begun;
      return { ended };
    };
    const setRole = (role: string) =>
      database.db
        .updateTable("people")
        .set({ roles: JSON.stringify([role]) })
        .where("id", "=", id)
        .execute();
    const first = await open();
    await setRole("rater");
    expect((await first.ended).status).toBe(200);
    await setRole("operator");
    const second = await open();
    expect((await call("DELETE", "/api/session")).status).toBe(200);
    expect((await second.ended).status).toBe(200);
  });

  it("are told no longer to whoever watches when the server closes: nobody waits for the grace", async () => {
    const catalog = createRunCatalog({ dirs: [dir] });
    let begin = () => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const follow: typeof catalog.follow = (...args) => (begin(), catalog.follow(...args));
    const runs = { ...catalog, follow };
    const { server, signIn } = await testServer(database, { runs, graceMs: 2 ** 30 });
    const { call } = await signIn("Olga", "operator");
    const { body: list } = await call<RunList>("GET", "/api/runs");
    const ended = call<string>("GET", `/api/runs/${list.runs[0]!.runId}/events`);
    await begun;
    await server.close();
    expect((await ended).status).toBe(200);
  });
});
