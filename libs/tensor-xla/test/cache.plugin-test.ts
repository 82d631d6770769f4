import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openTestPlugin, STEP } from "./programs.js";

describe("the cache of compiled programs", () => {
  let cacheDir = "";
  beforeEach(() => void (cacheDir = mkdtempSync(join(tmpdir(), "stagecraft-programs-"))));
  afterEach(() => rmSync(cacheDir, { recursive: true }));

  function run(createOptions = {}): { fromCache: boolean; result: unknown } {
    const client = openTestPlugin({ cacheDir, createOptions });
    const program = client.compile(STEP);
    const w = client.upload(Float32Array.of(1, 2, 3, 4, 5, 6), "f32", [2, 3]);
    const [, sum] = program.execute([w, client.upload(Float32Array.of(1, 1, 1), "f32", [3])]);
    const result = [sum?.readSync(), w.isDeleted];
    client.close();
    return { fromCache: program.fromCache, result };
  }

  it("gives a second client the program, which computes and donates as before", () => {
    const result = [Float32Array.of(27), true];
    expect(run()).toEqual({ fromCache: false, result });
    expect(run()).toEqual({ fromCache: true, result });
  });

  it("compiles for other devices anew", () => {
    expect(run().fromCache).toBe(false);
    expect(run({ cpu_device_count: 2 }).fromCache).toBe(false);
    expect(run({ cpu_device_count: 2 }).fromCache).toBe(true);
  });

  it("compiles anew under other flags of XLA", () => {
    expect(run().fromCache).toBe(false);
    vi.stubEnv("XLA_FLAGS", "--xla_backend_optimization_level=1");
    expect(run().fromCache).toBe(false);
    expect(run().fromCache).toBe(true);
    vi.unstubAllEnvs();
    expect(run().fromCache).toBe(true);
  });

  it("keeps nothing of a plugin that does not serialise, and works", () => {
    for (let i = 0; i < 2; i++) expect(run({ serializable: false }).fromCache).toBe(false);
    expect(readdirSync(cacheDir)).toEqual([]);
  });

  it("compiles anew what the plugin no longer takes, and says so", () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    run();
    const file = join(cacheDir, readdirSync(cacheDir)[0] ?? "");
    const junk = Buffer.from("no program of this plugin");
    writeFileSync(file, Buffer.concat([createHash("sha256").update(junk).digest(), junk]));
    expect(run()).toEqual({ fromCache: false, result: [Float32Array.of(27), true] });
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("it is compiled anew"));
    warn.mockRestore();
    expect(run().fromCache).toBe(true);
  });

  it("warns once and goes on when programs cannot be written", async () => {
    const file = join(cacheDir, "file");
    writeFileSync(file, "");
    const client = openTestPlugin({ cacheDir: join(file, "inside") });
    const warnings: string[] = [];
    process.on("warning", ({ message }) => warnings.push(message));
    for (let i = 0; i < 2; i++) expect(client.compile(STEP).numOutputs).toBe(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([expect.stringContaining("compiled programs are not kept any more")]);
    client.close();
  });

  it("lets a program be carried by hand", () => {
    const client = openTestPlugin();
    const bytes = client.compile(STEP).serialize();
    expect(client.load(bytes!, STEP).numOutputs).toBe(2);
    expect(() => client.load(Buffer.from("junk"), STEP)).toThrow("cannot load a compiled program");
    client.close();
  });
});
