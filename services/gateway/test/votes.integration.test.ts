import type { PagesClient } from "@stagecraft/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ServedModels } from "../src/http/api/index.js";
import type { Database } from "../src/store/database.js";
import { openTestDatabase } from "./databases.js";
import { uuid } from "./http-kit.js";
import { openRouteWorld, SECRET_MODEL, type RouteWorld } from "./route-world.js";

let database: Database;
let world: RouteWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await openRouteWorld(database, import.meta.dirname);
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await database?.close();
});

/** A model's answer to a question: its id and its text. */
async function ask(person: PagesClient, content: string, model = "") {
  const question = { turns: [{ role: "user", content }], model, sampling: {} };
  const stream = await person.ok<string>("POST", "/api/chat/answers", question);
  const last = stream.trimEnd().split("\n").at(-1)!;
  return JSON.parse(last.replace("data: ", "")) as { answerId: string; text: string };
}

const vote = (person: PagesClient, body: object) =>
  person.call("POST", "/api/chat/votes", { submissionId: uuid(), comment: "", ...body });

/** What `stagecraft reward` would read. */
async function exported(): Promise<Record<string, unknown>[]> {
  const admin = await world.signIn("admin");
  const text = await admin.ok<string>("GET", "/api/operator/export/rankings");
  return text.split("\n").flatMap((line) => (line ? [JSON.parse(line) as never] : []));
}

describe("a vote for the better of two answers", () => {
  it("becomes a ranking of the two that the reward model learns from, once", async () => {
    const ann = await world.signIn("rater");
    const [better, worse] = [await ask(ann, "Hi?"), await ask(ann, "Hi?")];
    const submissionId = uuid();
    const body = { submissionId, answerId: better.answerId, vote: "better", than: worse.answerId };
    for (let i = 0; i < 2; i++) expect(await vote(ann, body)).toMatchObject({ status: 200 });
    expect((await exported()).filter(({ rater }) => rater === ann.personId)).toEqual([
      {
        ...{ id: submissionId, kind: "chat", rater: ann.personId, model: `${SECRET_MODEL}@3` },
        prompt: [{ role: "user", content: "Hi?" }],
        answers: [better.text, worse.text],
        ranks: [1, 2],
      },
    ]);
  });

  it("is refused between answers to different turns, without the other, and under another's id", async () => {
    const ann = await world.signIn("rater");
    const [one, other] = [await ask(ann, "Hi?"), await ask(ann, "Bye?")];
    const before = (await exported()).length;
    const answerId = one.answerId;
    for (const bad of [
      { answerId, vote: "better", than: other.answerId },
      { answerId, vote: "better", than: null },
      { answerId, vote: "up", than: other.answerId },
    ]) {
      const refused = { status: 400, body: { error: { field: "than" } } };
      expect(await vote(ann, bad)).toMatchObject(refused);
    }
    const submissionId = uuid();
    const up = { submissionId, answerId, vote: "up", than: null };
    expect(await vote(ann, up)).toMatchObject({ status: 200 });
    expect(await vote(ann, { ...up, vote: "down" })).toMatchObject({ status: 409 });
    expect(await exported()).toHaveLength(before);
  });
});

describe("a model's id", () => {
  it("says nothing of its name, is taken back, and means nothing once it is not served", async () => {
    const ann = await world.signIn("rater");
    const { models } = await ann.ok<ServedModels>("GET", "/api/models");
    expect(models).toEqual([{ id: expect.any(String), label: "The assistant", version: null }]);
    expect((await ask(ann, "Hi?", models[0]!.id)).text).toMatch(/^answer/);
    const question = { turns: [{ role: "user", content: "Hi?" }], sampling: {} };
    for (const model of ["0", SECRET_MODEL]) {
      const refused = await ann.call("POST", "/api/chat/answers", { ...question, model });
      expect(refused).toMatchObject({ status: 404, body: { error: { field: "model" } } });
    }
  });
});
