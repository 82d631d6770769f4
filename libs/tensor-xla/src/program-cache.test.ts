import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { compilerFlags, ProgramCache, type ProgramKey } from "./program-cache.js";

const KEY: ProgramKey = {
  mlirText: "module {}",
  options: Uint8Array.of(1, 2),
  platform: "cuda",
  pluginVersion: "12080 (PJRT 0.90)",
  deviceKinds: ["NVIDIA H200"],
  flags: [],
};
const PROGRAM = Buffer.from("compiled");

describe("compilerFlags()", () => {
  it("are those of XLA_FLAGS that change what is compiled", () => {
    expect(compilerFlags("")).toEqual([]);
    const flags = " --xla_a=1  --xla_force_host_platform_device_count=2 --xla_b";
    expect(compilerFlags(flags)).toEqual(["--xla_a=1", "--xla_b"]);
  });
});

describe("ProgramCache", () => {
  let dir = "";
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "stagecraft-programs-"))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it("gives back what was written, in another process's cache of the same directory too", () => {
    const inside = join(dir, "new", "folder");
    expect(new ProgramCache(inside).read(KEY)).toBeUndefined();
    new ProgramCache(inside).write(KEY, PROGRAM);
    expect(new ProgramCache(inside).read({ ...KEY })).toEqual(PROGRAM);
    expect(readdirSync(inside)).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.pjrt$/)]);
  });

  const others: readonly Partial<ProgramKey>[] = [
    { mlirText: "module { }" },
    { options: Uint8Array.of(1, 3) },
    { platform: "rocm" },
    { pluginVersion: "12090 (PJRT 0.91)" },
    { deviceKinds: ["NVIDIA H100"] },
    { deviceKinds: ["NVIDIA H200", "NVIDIA H200"] },
    { flags: ["--xla_gpu_autotune_level=0"] },
  ];
  for (const other of others) {
    it(`knows no program of another ${Object.keys(other).join()}: ${JSON.stringify(other)}`, () => {
      const cache = new ProgramCache(dir);
      cache.write(KEY, PROGRAM);
      expect(cache.read({ ...KEY, ...other })).toBeUndefined();
    });
  }

  it("drops what was used least recently above its size", () => {
    const cache = new ProgramCache(dir, 2 * (32 + PROGRAM.length));
    const keys = ["a", "b", "c"].map((mlirText) => ({ ...KEY, mlirText }));
    const [a, b, c] = keys as [ProgramKey, ProgramKey, ProgramKey];
    cache.write(a, PROGRAM);
    const [first = ""] = readdirSync(dir);
    utimesSync(join(dir, first), 1, 1);
    cache.write(b, PROGRAM);
    const [second = ""] = readdirSync(dir).filter((name) => name !== first);
    utimesSync(join(dir, second), 2, 2); // both long ago, a before b
    expect(cache.read(a)).toEqual(PROGRAM); // and one again now
    cache.write(c, PROGRAM);
    expect([a, b, c].map((key) => cache.read(key) !== undefined)).toEqual([true, false, true]);
  });

  it("takes a file that is cut short or altered for none, and says so", () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    const cache = new ProgramCache(dir);
    cache.write(KEY, PROGRAM);
    const file = join(dir, readdirSync(dir)[0] ?? "");
    const whole = readFileSync(file);
    for (const damaged of [whole.subarray(0, -1), whole.subarray(0, 10), Buffer.alloc(0)]) {
      writeFileSync(file, damaged);
      expect(cache.read(KEY)).toBeUndefined();
    }
    const altered = Buffer.from(whole);
    altered[altered.length - 1]! ^= 1;
    writeFileSync(file, altered);
    expect(cache.read(KEY)).toBeUndefined();
    expect(warn).toHaveBeenCalledTimes(4);
    expect(warn).toHaveBeenLastCalledWith(
      expect.stringMatching(/compiled anew: .*\.pjrt is cut short or altered/),
    );
    warn.mockRestore();
  });

  it("takes a file that cannot be read for none, and says so", () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    const cache = new ProgramCache(dir);
    cache.write(KEY, PROGRAM);
    const file = join(dir, readdirSync(dir)[0] ?? "");
    rmSync(file);
    mkdirSync(file); // reading fails for root too
    expect(cache.read(KEY)).toBeUndefined();
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/compiled anew: .*EISDIR/));
    warn.mockRestore();
    writeFileSync(join(file, "inside"), "");
    cache.write(KEY, PROGRAM);
    expect(cache.read(KEY)).toEqual(PROGRAM);
  });

  it("removes folders in the places of programs too, those of long ago first", () => {
    const folders = ["a.pjrt", "b.pjrt.1.tmp"].map((name) => join(dir, name));
    for (const folder of folders) {
      mkdirSync(folder);
      writeFileSync(join(folder, "inside"), "");
      utimesSync(folder, 1, 1);
    }
    new ProgramCache(dir, 32 + PROGRAM.length).write(KEY, PROGRAM);
    expect(readdirSync(dir)).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.pjrt$/)]);
  });

  it("removes what a process that died has left unfinished, and nothing that another writes now", () => {
    const [old, fresh] = ["a.pjrt.1.tmp", "b.pjrt.2.tmp"].map((name) => join(dir, name));
    for (const file of [old!, fresh!]) writeFileSync(file, "part");
    utimesSync(old!, 1, 1);
    new ProgramCache(dir).write(KEY, PROGRAM);
    const left = readdirSync(dir).filter((name) => name.endsWith(".tmp"));
    expect(left).toEqual(["b.pjrt.2.tmp"]);
  });
});
