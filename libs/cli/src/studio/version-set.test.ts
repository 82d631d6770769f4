import { policy } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { fixedModels } from "@stagecraft/service-gateway";
import { describe, expect, it } from "vitest";
import type { Version } from "./studio-files.js";
import { createVersionSet } from "./version-set.js";

/** Models that say two words, the second when they are let; `log` has what was opened and closed. */
function makeModels() {
  const log: string[] = [];
  let goOn = () => {};
  const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
  const open = async ({ name, dir }: Version) => {
    if (dir === "damaged") throw new StagecraftError("data_loss", "damaged");
    log.push(`open ${name} of ${dir}`);
    const backend = {
      getModelInfo: () => Promise.reject(new Error("not asked here")),
      async *generate() {
        yield policy.GenerateResponse.fromPartial({ text: "one" });
        await mayGoOn;
        yield policy.GenerateResponse.fromPartial({ text: "two" });
      },
    };
    const close = async () => void log.push(`close ${name} of ${dir}`);
    return { models: fixedModels({ [name]: backend }), [Symbol.asyncDispose]: close };
  };
  return { log, goOn, versions: createVersionSet(open) };
}

const [A, B] = [
  { name: "a", dir: "1" },
  { name: "b", dir: "2" },
];

describe("createVersionSet()", () => {
  it("lets a version that is exchanged end the answer that it is giving, then closes it", async () => {
    const { log, goOn, versions } = makeModels();
    await versions.replace([A]);
    const answer = versions
      .policies()
      .get("a")!
      .generate({ model: "", input: undefined, requestId: "" });
    const parts = answer[Symbol.asyncIterator]();
    expect((await parts.next()).value).toMatchObject({ text: "one" });
    await versions.replace([B]);
    expect([...versions.policies().keys()]).toEqual(["b"]);
    expect(log).toEqual(["open a of 1", "open b of 2"]);
    goOn();
    expect((await parts.next()).value).toMatchObject({ text: "two" });
    expect((await parts.next()).done).toBe(true);
    expect(log.at(-1)).toBe("close a of 1");
  });

  it("leaves everything as it was, and nothing open, when one cannot be opened", async () => {
    const { log, versions } = makeModels();
    await versions.replace([A]);
    await expect(versions.replace([B, { name: "c", dir: "damaged" }])).rejects.toThrow("damaged");
    expect([...versions.policies().keys()]).toEqual(["a"]);
    expect(log).toEqual(["open a of 1", "open b of 2", "close b of 2"]);
  });

  it("opens a name anew whose folder is another", async () => {
    const { log, versions } = makeModels();
    await versions.replace([A]);
    await versions.replace([A, B]);
    await versions.replace([{ ...A, dir: "3" }]);
    expect(log.slice(2).sort()).toEqual(["close a of 1", "close b of 2", "open a of 3"]);
  });

  it("closes everything at the end, also what still answers", async () => {
    const { log, versions } = makeModels();
    await versions.replace([A]);
    const answer = versions
      .policies()
      .get("a")!
      .generate({ model: "", input: undefined, requestId: "" });
    await answer[Symbol.asyncIterator]().next();
    await versions.replace([B]);
    await versions.close();
    expect(log.slice(2).sort()).toEqual(["close a of 1", "close b of 2"]);
  });
});
