import { join } from "node:path";
import { f32, writeModelDirectory } from "@stagecraft/checkpoint";
import { openRegistry } from "@stagecraft/registry";
import { signInByLink, tempDir, type PagesClient } from "@stagecraft/testing";
import type { feedback } from "@stagecraft/contracts";
import { common } from "@stagecraft/contracts";
import { createApiKey } from "../src/auth/api-keys.js";
import { hashOfPassword } from "../src/auth/secrets.js";
import { addPerson, newSignInToken } from "../src/auth/people.js";
import type { Assignment, NextAssignment, PersonRole } from "../src/http/api/index.js";
import { createHttpServer } from "../src/http/server.js";
import { fixedModels } from "../src/openai/index.js";
import type { Database } from "../src/store/database.js";
import { createFeedbackStore } from "../src/store/feedback-store.js";
import { uuid } from "./http-kit.js";
import { madeRuns } from "./made-runs.js";
import { backendOf, END, piece } from "./openai/rig.js";

/** A gateway on a socket with everything beside it, and what requests of its routes need. */
export interface RouteWorld extends AsyncDisposable {
  origin: string;
  routes: readonly string[];
  /** Somebody new who is signed in. */
  signIn(...roles: PersonRole[]): Promise<PagesClient>;
  /** Id of a comparison that nobody has ranked. */
  newComparison(): Promise<string>;
  /** A person's assignment, or somebody else's where there is no `who` that may have one. */
  assignmentOf(who: PagesClient | undefined): Promise<Assignment>;
  draftOf(who: PagesClient | undefined): Promise<string>;
  answerOf(who: PagesClient | undefined): Promise<string>;
  /** Id of a new API key. */
  newKey(): Promise<string>;
  /** Two versions of the registry were in use, one after the other. */
  promoteTwo(): Promise<void>;
  /** Id of a new rater. */
  newRater(): Promise<string>;
  newToken(): Promise<string>;
  newPassword(): Promise<{ name: string; password: string }>;
}

/** What nobody below an operator may be told. */
export const SECRET_MODEL = "secret-model";

let numAnswers = 0;
const talker = backendOf(async function* () {
  yield piece(`answer ${numAnswers++}`, END);
});

export async function openRouteWorld(database: Database, pagesDir: string): Promise<RouteWorld> {
  let isRunning = false;
  const loop = {
    start: async () => void (isRunning = true),
    stop: async () => void (isRunning = false),
    isRunning: () => isRunning,
  };
  const modelsDir = await tempDir();
  const registry = openRegistry(join(modelsDir.path, "models.json"));
  for (const value of [1, 2]) {
    const tensors = new Map([["w", f32([1], Float32Array.of(value))]]);
    await writeModelDirectory(join(modelsDir.path, `m${value}`), {
      config: {},
      tensors,
      files: {},
    });
    await registry.add("assistant", join(modelsDir.path, `m${value}`));
  }
  const server = await createHttpServer({
    registry: { registry, served: [], onChange: () => Promise.resolve() },
    ...{
      database,
      pagesDir,
      loop,
      runs: madeRuns(),
      models: fixedModels({ [SECRET_MODEL]: talker }),
    },
    defaults: { goldShare: 0 },
    requestsPerMinute: { perPerson: 1e6, perAddress: 1e6 },
  });
  const { origin } = await server.start();
  const add = (roles: PersonRole[]) =>
    database.transact(async (tx) => {
      const id = await addPerson(tx, `person ${uuid()}`, roles);
      return { id, ...(await newSignInToken(tx, id, new Date())) };
    });
  const signIn = async (...roles: PersonRole[]) =>
    signInByLink(`${origin}/sign-in#${(await add(roles)).token}`);
  const world: RouteWorld = {
    ...{ origin, routes: server.routes, signIn },
    async promoteTwo() {
      for (const version of [1, 2]) await registry.promote("assistant", version, { by: "test" });
    },
    async newComparison() {
      const comparison = comparisonOf(uuid());
      await createFeedbackStore(database).addComparisons([comparison]);
      return comparison.comparisonId;
    },
    async assignmentOf(who) {
      await world.newComparison();
      const own = await who?.call<NextAssignment>("POST", "/api/rank/next");
      if (own?.status === 200) return own.body.assignment!;
      return world.assignmentOf(await signIn("rater"));
    },
    async draftOf(who) {
      const turns = [
        { role: "user", content: "Hi?", answerId: null },
        { role: "assistant", content: "Hello.", answerId: null },
      ];
      const draft = { submissionId: uuid(), requestId: null, turns };
      const own = await who?.call("POST", "/api/write/drafts", draft);
      if (own?.status === 200) return own.body["draftId"] as string;
      return world.draftOf(await signIn("writer"));
    },
    async answerOf(who) {
      const question = { turns: [{ role: "user", content: "Hi?" }], model: "" };
      const asker = who ?? (await signIn("rater"));
      const stream = await asker.ok<string>("POST", "/api/break/answers", question);
      return /"type":"done","answerId":"([^"]+)"/.exec(stream)![1]!;
    },
    async newKey() {
      const limits = { requestsPerMinute: null, tokensPerMinute: null, concurrent: null };
      const key = { name: uuid(), scopes: ["score" as const], ...limits };
      return (await database.transact((tx) => createApiKey(tx, key))).keyId;
    },
    newRater: async () => (await add(["rater"])).id,
    newToken: async () => (await add(["rater"])).token,
    async newPassword() {
      const { id } = await add(["rater"]);
      const [name, password] = [`name of ${id}`, "correct horse battery"];
      const password_hash = await hashOfPassword(password);
      const values = { name, password_hash };
      await database.db.updateTable("people").set(values).where("id", "=", id).execute();
      return { name, password };
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await modelsDir[Symbol.asyncDispose]();
    },
  };
  return world;
}

function comparisonOf(id: string): feedback.Comparison {
  return {
    comparisonId: `hidden-${id}`,
    prompt: { messages: [{ role: common.Role.USER, content: "Which is best?" }] },
    answers: ["first", "second", "third", "fourth"].map((text) => `${text} ${id.slice(0, 4)}`),
    kind: "question",
    modelVersion: `${SECRET_MODEL}@7`,
    batch: "hidden-batch",
  };
}
