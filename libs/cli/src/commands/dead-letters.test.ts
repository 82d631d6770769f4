import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { requeueAudited } from "./dead-letters.js";

describe("stagecraft dead-letters requeue", () => {
  const letters = (requeue: (sequence: number) => Promise<void>) => ({
    deadLetters: { requeue } as never,
  });
  const linesOf = async (file: string) =>
    (await readFile(file, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it("writes down who does it before it happens, and what became of it", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "audit", "audit.jsonl");
    let before: unknown[] = [];
    const bus = letters(async () => void (before = await linesOf(file)));
    await requeueAudited(bus, file)(12);
    expect(before).toMatchObject([{ event: "asked", request: { sequence: 12 } }]);
    const [asked, done] = await linesOf(file);
    expect(done).toMatchObject({ event: "done", code: "ok", request: { sequence: 12 } });
    expect(done!["callId"]).toBe(asked!["callId"]);
    expect(String(done!["caller"])).not.toBe("");
  });

  it("writes down a failure and throws it", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "audit.jsonl");
    const gone = new StagecraftError("not_found", "no dead letter 7");
    const requeue = requeueAudited(
      letters(() => Promise.reject(gone)),
      file,
    );
    await expect(requeue(7)).rejects.toBe(gone);
    expect(await linesOf(file)).toMatchObject([{ event: "asked" }, { code: "not_found" }]);
  });
});
