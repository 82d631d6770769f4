import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { f32, writeModelDirectory } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import { openRegistry, type ModelRegistry, type RegisteredVersion } from "@stagecraft/registry";
import { tempDir } from "@stagecraft/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RegistryView } from "../src/http/api/index.js";
import { sql } from "kysely";
import type { Database } from "../src/store/database.js";
import { openTestDatabase } from "./databases.js";
import { auditOf, testServer } from "./http-kit.js";

describe("/api/registry", () => {
  let database: Database;
  beforeAll(async () => void (database = await openTestDatabase()));
  afterAll(() => database?.close());

  async function desk(dir: string) {
    const registry = openRegistry(join(dir, "models.json"));
    for (const value of [1, 2]) {
      const tensors = new Map([["w", f32([1], Float32Array.of(value))]]);
      await writeModelDirectory(join(dir, `m${value}`), { config: {}, tensors, files: {} });
      const { version } = await registry.add("assistant", join(dir, `m${value}`));
      await registry.promote("assistant", version, { by: "test" });
    }
    const changes: number[] = [];
    const onChange = ({ version }: RegisteredVersion) => {
      changes.push(version);
      return Promise.resolve();
    };
    return { changes, registry: { registry, served: ["assistant"], onChange } };
  }

  const acts = async () =>
    (await auditOf(database)).map(({ action, details }) => `${action} ${String(details["event"])}`);

  it("lets operators promote, roll back and download; what is served follows at once, the audit knows", async () => {
    await using dir = await tempDir();
    const { changes, registry } = await desk(dir.path);
    const { server, signIn } = await testServer(database, { registry });
    await using _server = server;
    const { call } = await signIn("Olga", "operator");
    const inUse = (view: RegistryView) =>
      view.models[0]!.versions.find(({ isPromoted }) => isPromoted)?.version;
    const { body } = await call<RegistryView>("GET", "/api/registry");
    expect(body.models[0]!.versions[0]).toMatchObject({ version: 2, lineage: null });
    expect(body.models[0]!.versions[0]!.unknownBecause).toContain("made elsewhere");
    const path = "/api/registry/assistant";
    const back = await call<RegistryView>("POST", `${path}/rollback`);
    expect(inUse(back.body)).toBe(1);
    expect((await call("POST", `${path}/rollback`)).error).toMatchObject({
      code: "failed_precondition",
    });
    const chosen = await call<RegistryView>("POST", `${path}/promote`, { version: 2 });
    expect(inUse(chosen.body)).toBe(2);
    expect(changes).toEqual([1, 2]);
    const file = await call<string>("GET", `${path}/2/archive`);
    expect(file.headers["content-disposition"]).toBe('attachment; filename="assistant-2.tar"');
    const { stdout } = spawnSync("tar", ["-t"], { input: file.body, encoding: "utf8" });
    expect(stdout).toContain("assistant-2/model.safetensors\n");
    expect((await call("GET", `${path}/9/archive`)).status).toBe(404);
    const audit = JSON.stringify((await call("GET", "/api/operator/audit")).body);
    for (const action of ["rollback", "promote", "download"]) {
      expect(audit).toContain(`model.${action}`);
    }
  });

  it("writes down what is asked before it happens, and what became of it; without the audit nothing happens", async () => {
    await using dir = await tempDir();
    const { registry } = await desk(dir.path);
    const before = (await acts()).length;
    const seen: string[][] = [];
    const watched: typeof registry.registry = {
      ...registry.registry,
      rollBack: async (...args) => {
        seen.push((await acts()).slice(before));
        return registry.registry.rollBack(...args);
      },
    };
    const { server, signIn } = await testServer(database, {
      registry: { ...registry, registry: watched },
    });
    await using _server = server;
    const { call } = await signIn("Ottilie", "operator");
    const path = "/api/registry/assistant";
    await call("POST", `${path}/rollback`);
    expect(seen).toEqual([["model.rollback asked"]]);
    expect((await call("POST", `${path}/promote`, { version: 9 })).status).toBe(404);
    const told = ["rollback asked", "rollback done", "promote asked", "promote failed"];
    expect((await acts()).slice(before)).toEqual(told.map((each) => `model.${each}`));
    await sql`alter table audit rename to audit_away`.execute(database.db);
    try {
      expect((await call("POST", `${path}/promote`, { version: 2 })).status).toBeGreaterThan(499);
    } finally {
      await sql`alter table audit_away rename to audit`.execute(database.db);
    }
    expect(await registry.registry.current("assistant")).toMatchObject({ version: 1 });
  });

  it("says `done`, and to which version, of a change that took place though its policies do not follow", async () => {
    await using dir = await tempDir();
    const { registry } = await desk(dir.path);
    const onChange = () => Promise.reject(new StagecraftError("unavailable", "no trainer answers"));
    const { server, signIn } = await testServer(database, { registry: { ...registry, onChange } });
    await using _server = server;
    const { call } = await signIn("Oda", "operator");
    const before = (await acts()).length;
    const path = "/api/registry/assistant";
    for (const [to, body] of [
      ["rollback", undefined],
      ["promote", { version: 2 }],
    ] as const) {
      expect((await call("POST", `${path}/${to}`, body)).error?.code, to).toBe("unavailable");
    }
    const rows = (await auditOf(database)).slice(before);
    expect(rows.map(({ subject, details }) => [subject, details])).toEqual([
      ["assistant", { event: "asked" }],
      ["assistant", { event: "done", version: 1 }],
      ["assistant@2", { event: "asked" }],
      ["assistant@2", { event: "done" }],
    ]);
  });

  it("says that a version is in use though the registry cannot be read again, and which one it is", async () => {
    await using dir = await tempDir();
    const { registry: made } = await desk(dir.path);
    const lost = () => Promise.reject(new StagecraftError("unavailable", "the store is away"));
    let isAway = false;
    const registry: ModelRegistry = {
      ...made.registry,
      models: () => (isAway ? lost() : made.registry.models()),
    };
    const onChange = () => Promise.resolve(void (isAway = true));
    const options = { registry: { ...made, registry, onChange } };
    const { server, signIn } = await testServer(database, options);
    await using _server = server;
    const { call } = await signIn("Olaf", "operator");
    const before = (await acts()).length;
    const answer = await call("POST", "/api/registry/assistant/promote", { version: 1 });
    expect(answer.error).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("assistant@1 is in use now, but") as string,
    });
    expect((await acts()).slice(before)).toEqual(["model.promote asked", "model.promote done"]);
  });

  it("is for operators alone, and says when there is no registry", async () => {
    await using dir = await tempDir();
    const { changes, registry } = await desk(dir.path);
    const { server, signIn } = await testServer(database, { registry });
    await using _server = server;
    const { call } = await signIn("Rita", "rater", "writer");
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["POST", "/assistant/rollback", undefined],
      ["POST", "/assistant/promote", { version: 1 }],
      ["GET", "/assistant/1/archive", undefined],
    ] as const) {
      const { status } = await call(method, `/api/registry${path}`, body);
      expect(status, path).toBe(403);
    }
    expect(changes).toEqual([]);
    const without = await testServer(database);
    await using _without = without.server;
    const { call: ask } = await without.signIn("Otto", "operator");
    expect((await ask("GET", "/api/registry")).error?.advice).toContain("--registry FILE");
  });
});
