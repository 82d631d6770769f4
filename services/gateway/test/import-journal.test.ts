import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { feedback } from "@stagecraft/contracts";
import { pgliteTemplate } from "@stagecraft/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../src/store/database.js";
import { createFeedbackStore } from "../src/store/feedback-store.js";
import { importJournal } from "../src/store/import-journal.js";
import { openStore } from "../src/store/open-store.js";
import { emptyDatabase, openTestDatabase } from "./databases.js";

let dir: string;
let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-journal-"));
  await emptyDatabase(database.db);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const file = () => join(dir, "feedback.jsonl");

/** A line as gateways wrote it before there was a database. */
const line = (feedbackId: string, rater = "ann", ranks = [1, 2]) =>
  `${JSON.stringify({
    feedback: {
      feedbackId,
      createdAt: "2026-01-02T03:04:05.678Z",
      origin: { rater },
      ranking: {
        prompt: { messages: [{ role: "ROLE_USER", content: "Hi" }] },
        answers: ["a", "b"],
        ranks,
      },
    },
  })}\n`;
const COMPARISON = `${JSON.stringify({
  comparison: {
    comparisonId: "c",
    prompt: { messages: [{ role: "ROLE_USER", content: "Hi" }] },
    answers: ["a", "b"],
  },
})}\n`;

async function stored(from: Database = database): Promise<feedback.Feedback[]> {
  const page = { pageSize: 0, pageToken: "", includeRevised: false };
  return (await createFeedbackStore(from).listFeedback(page)).items;
}
const ids = async (from?: Database) => (await stored(from)).map(({ feedbackId }) => feedbackId);

describe("importJournal()", () => {
  it("takes a journal over once, in its order, with its times and revisions", async () => {
    await writeFile(file(), COMPARISON + line("a") + line("b", "bob") + line("c", "ann", [2, 1]));
    const counts = { comparisons: 1, feedback: 3, leftOut: 0 };
    expect(await importJournal(database, file())).toEqual(counts);
    expect(await importJournal(database, file())).toBeUndefined();
    expect(await ids()).toEqual(["b", "c"]);
    expect((await stored())[0]!.createdAt).toEqual(new Date("2026-01-02T03:04:05.678Z"));
  });

  it("takes nothing where there is nothing", async () => {
    expect(await importJournal(database, file())).toBeUndefined();
  });

  it("takes a last record whose line lost its end, and leaves half a record out", async () => {
    await writeFile(file(), line("a") + line("b"));
    const { length } = await readFile(file());
    await truncate(file(), length - 1);
    expect(await importJournal(database, file())).toMatchObject({ feedback: 2, leftOut: 0 });
    await emptyDatabase(database.db);
    await truncate(file(), length - 9);
    const half = Buffer.byteLength(line("b")) - 9;
    expect(await importJournal(database, file())).toMatchObject({ feedback: 1, leftOut: half });
    expect(await ids()).toEqual(["a"]);
  });

  it("names a damaged line, takes nothing, and leaves the file as it is", async () => {
    await writeFile(file(), line("a") + line("b"));
    const bytes = await readFile(file());
    bytes[bytes.indexOf("Hi")] = 0xff;
    await writeFile(file(), bytes);
    await expect(importJournal(database, file())).rejects.toMatchObject({
      code: "data_loss",
      message: expect.stringContaining("feedback.jsonl:1") as string,
    });
    await writeFile(file(), line("a"));
    await appendFile(file(), "{oops\n");
    await expect(importJournal(database, file())).rejects.toMatchObject({
      message: expect.stringContaining("feedback.jsonl:2") as string,
    });
    expect(await ids()).toEqual([]);
  });
});

describe("openStore()", () => {
  it("takes the journal of a folder over, keeps all over a restart, and has the folder to itself", async () => {
    await writeFile(file(), line("a"));
    const options = { dir, template: await pgliteTemplate() };
    const first = await openStore(options);
    await expect(openStore(options)).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(/in use by process \d+/) as string,
    });
    const entry = { ...(await stored(first))[0]!, feedbackId: "b", origin: undefined };
    await createFeedbackStore(first).add(entry);
    await first.close();
    await using second = await openStore(options);
    expect(await ids(second)).toEqual(["a", "b"]);
  });

  it("says what is wrong with a database URL, and takes no plaintext beyond loopback", async () => {
    for (const url of ["mysql://x", "nonsense", "postgres://db.example.org/x"]) {
      await expect(openStore({ url })).rejects.toMatchObject({ code: "invalid_argument" });
    }
  });
});
