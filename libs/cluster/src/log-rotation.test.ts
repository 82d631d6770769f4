import {
  appendFileSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { rotateLogs } from "./log-rotation.js";

describe("rotateLogs()", () => {
  it("keeps a log and its rotated ones within size and count, while a process goes on writing", async () => {
    await using folder = await tempDir();
    const log = openSync(folder.file("trainer.log"), "a");
    for (let line = 0; line < 50; line++) {
      writeSync(log, `line ${line}\n`.padEnd(100, "."));
      rotateLogs(folder.path, { maxBytes: 950, keep: 2 });
    }
    expect(readdirSync(folder.path).sort()).toEqual([
      "trainer.log",
      "trainer.log.1",
      "trainer.log.2",
    ]);
    const [now, newest, oldest] = ["", ".1", ".2"].map((end) =>
      readFileSync(folder.file(`trainer.log${end}`), "utf8"),
    );
    expect(`${oldest}${newest}${now}`.match(/line \d+/g)).toEqual(
      Array.from({ length: 20 }, (_, i) => `line ${30 + i}`),
    );
    expect(now).not.toContain("\0");
  });

  it("leaves small logs and other files alone, and keeps none where none is wanted", async () => {
    await using folder = await tempDir();
    writeFileSync(folder.file("nats.conf"), "x".repeat(200));
    writeFileSync(folder.file("small.log"), "x".repeat(50));
    appendFileSync(folder.file("large.log"), "x".repeat(200));
    rotateLogs(folder.path, { maxBytes: 100, keep: 0 });
    expect(readdirSync(folder.path).sort()).toEqual(["large.log", "nats.conf", "small.log"]);
    expect(readFileSync(folder.file("large.log"), "utf8")).toBe("");
    expect(readFileSync(folder.file("nats.conf"), "utf8")).toHaveLength(200);
  });
});
