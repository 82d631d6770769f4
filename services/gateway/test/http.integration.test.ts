import { createRandom } from "@stagecraft/core";
import type { feedback } from "@stagecraft/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHttpServer } from "../src/http/server.js";
import type { NextAssignment, RankingStored, Session } from "../src/http/api/index.js";
import type { Database } from "../src/store/database.js";
import { createFeedbackStore } from "../src/store/feedback-store.js";
import { writeSetting } from "../src/store/settings.js";
import { emptyDatabase, openTestDatabase } from "./databases.js";
import { callerOf, putUp, testServer, uuid } from "./http-kit.js";

let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
beforeEach(() => emptyDatabase(database.db));
afterAll(() => database.close());

const rankings = async () => {
  const page = { pageSize: 1000, pageToken: "", includeRevised: true };
  const { items } = await createFeedbackStore(database).listFeedback({ kind: "ranking", ...page });
  return items.map((f) => ({ ...f, ranking: f.body!.value as feedback.Ranking }));
};

describe("sessions", () => {
  it("signs in by a link once, by a cookie that scripts and other sites do not get", async () => {
    const { server, signIn } = await testServer(database);
    const ann = await signIn("Ann", "rater");
    const again = await callerOf(server, {})("POST", "/api/session", { token: ann.token });
    expect(again).toMatchObject({ status: 401, error: { code: "unauthenticated" } });
    const { body } = await ann.call<Session>("GET", "/api/session");
    expect(body).toMatchObject({ me: { name: "Ann", roles: ["rater"], hasPassword: false } });
    expect(body.pages).toMatchObject({ rank: true, write: false, people: false });
    const fresh = await signIn("Bob", "rater");
    expect(fresh.cookie).not.toBe(ann.cookie);
  });

  it("gives the cookie HttpOnly and SameSite=Strict; with TLS in front also Secure", async () => {
    for (const [publicUrl, flags] of [
      ["", /^stagecraft-session=.*; HttpOnly; SameSite=Strict$/],
      ["https://rank.example.org", /^__Host-stagecraft=.*; HttpOnly; Secure; SameSite=Strict$/],
    ] as const) {
      const { server, clock } = await testServer(database, { publicUrl });
      const { addPerson, newSignInToken } = await import("../src/auth/people.js");
      const { token } = await database.transact(async (tx) =>
        newSignInToken(tx, await addPerson(tx, `Cy ${publicUrl}`, ["rater"]), new Date(clock.ms)),
      );
      const { headers } = await callerOf(server, {})("POST", "/api/session", { token });
      expect(headers["set-cookie"]).toMatch(flags);
    }
  });

  it("ends links and sessions when their time is up, and sessions on signing out", async () => {
    const { clock, signIn } = await testServer(database);
    const ann = await signIn("Ann", "rater");
    clock.ms += 15 * 24 * 3_600_000;
    expect(await ann.call("GET", "/api/session")).toMatchObject({ status: 401 });
    const bob = await signIn("Bob", "rater");
    expect(await bob.call("DELETE", "/api/session")).toMatchObject({ status: 200 });
    expect(await bob.call("GET", "/api/session")).toMatchObject({ status: 401 });
  });

  it("refuses changes without the token, from another site, from another host, and as a form", async () => {
    const { server, signIn } = await testServer(database);
    const ann = await signIn("Ann", "rater");
    const next = (headers: Record<string, string>, csrf?: string) =>
      callerOf(server, { cookie: ann.cookie, ...(csrf && { csrf }) })(
        "POST",
        "/api/rank/next",
        undefined,
        headers,
      );
    expect(await next({}, ann.csrf)).toMatchObject({ status: 200 });
    const refused = { status: 403, error: { code: "permission_denied" } };
    expect(await next({})).toMatchObject(refused);
    expect(await next({}, "wrong")).toMatchObject(refused);
    expect(await next({ origin: "https://evil.example" }, ann.csrf)).toMatchObject(refused);
    expect(await next({ "sec-fetch-site": "cross-site" }, ann.csrf)).toMatchObject(refused);
    expect(await next({ host: "evil.example" }, ann.csrf)).toMatchObject(refused);
    const form = { "content-type": "text/plain" };
    const asForm = await callerOf(server, {})("POST", "/api/session", '{"token":"x"}', form);
    expect(asForm).toMatchObject({ status: 415, error: { code: "invalid_argument" } });
  });

  it("takes ten wrong passwords or links, then none for ten minutes, the right one neither", async () => {
    const { server, clock, signIn } = await testServer(database);
    const ann = await signIn("Ann", "rater");
    const password = "correct horse battery";
    expect(await ann.call("PUT", "/api/session/password", { password: "short" })).toMatchObject({
      status: 400,
      error: { field: "password" },
    });
    expect(await ann.call("PUT", "/api/session/password", { password })).toMatchObject({
      status: 200,
    });
    const enter = (given: string) =>
      callerOf(server, {})("POST", "/api/session/password", { name: "Ann", password: given });
    expect(await enter(password)).toMatchObject({ status: 200 });
    for (let i = 0; i < 10; i++) expect(await enter("wrong")).toMatchObject({ status: 401 });
    expect(await enter(password)).toMatchObject({ status: 429 });
    clock.ms += 10 * 60_000;
    expect(await enter(password)).toMatchObject({ status: 200 });
  });
});

describe("the edge", () => {
  it("does not start in plaintext beyond loopback, unless a proxy speaks TLS for it", async () => {
    const beyond = { database, host: "0.0.0.0" };
    await expect(createHttpServer(beyond)).rejects.toMatchObject({ code: "failed_precondition" });
    const trustedProxies = ["10.0.0.1"];
    await expect(createHttpServer({ ...beyond, trustedProxies })).rejects.toThrow("https");
    const publicUrl = "https://rank.example.org";
    await using server = await createHttpServer({ ...beyond, trustedProxies, publicUrl });
    expect(server).toBeDefined();
  });

  it("sends the security headers with every answer, errors too, and no script may be inline", async () => {
    const { server } = await testServer(database);
    for (const url of ["/", "/api/session", "/nothing.js"]) {
      const { headers } = await callerOf(server, {})("GET", url);
      expect(headers["content-security-policy"]).toContain("script-src 'self';");
      expect(headers["content-security-policy"]).not.toContain("unsafe");
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      });
    }
  });

  it("answers every failure in one shape, and too large a body with 413", async () => {
    const { server, signIn } = await testServer(database);
    const anybody = callerOf(server, {});
    expect(await anybody("GET", "/api/nothing")).toMatchObject({
      status: 404,
      error: { code: "not_found" },
    });
    expect(await anybody("POST", "/api/session", {})).toMatchObject({
      status: 400,
      error: { field: "token" },
    });
    const ann = await signIn("Ann", "rater");
    const large = { password: "x".repeat(2 ** 21) };
    const tooLarge = await ann.call("PUT", "/api/session/password", large);
    expect(tooLarge).toMatchObject({ status: 413, error: { code: "resource_exhausted" } });
  });

  it("lets one person make so many requests a minute", async () => {
    const requestsPerMinute = { perPerson: 20, perAddress: 300 };
    const { clock, signIn } = await testServer(database, { requestsPerMinute });
    const ann = await signIn("Ann", "rater");
    const ask = () => ann.call("GET", "/api/session");
    for (let i = 0; i < 20; i++) await ask();
    expect(await ask()).toMatchObject({ status: 429, error: { code: "resource_exhausted" } });
    clock.ms += 60_000;
    expect(await ask()).toMatchObject({ status: 200 });
  });
});

describe("Rank", () => {
  const next = async (call: ReturnType<typeof callerOf>) =>
    (await call<NextAssignment>("POST", "/api/rank/next")).body;

  it("stores ranks for the answers beside which they stood, whatever the order shown", async () => {
    await putUp(database, 12);
    await database.transact((tx) =>
      writeSetting(tx, "criteria", {
        criteria: [{ id: "clear", name: "Clear", question: "?", ask: "optional" }],
      }),
    );
    const { signIn } = await testServer(database);
    const random = createRandom("ranks");
    const shown = new Map<string, unknown>();
    const orders = new Set<string>();
    for (const name of ["Ann", "Bob"]) {
      const { call, id } = await signIn(name, "rater");
      for (let i = 0; i < 12; i++) {
        const { assignment } = await next(call);
        const draw = () => assignment!.answers.map(() => 1 + Math.floor(random.nextFloat() * 4));
        const given = { ranks: draw(), criteria: i % 2 ? { clear: draw() } : {} };
        const url = `/api/rank/assignments/${assignment!.assignmentId}/submit`;
        const body = { submissionId: uuid(), elapsedMs: 1000, ...given };
        const { body: stored } = await call<RankingStored>("POST", url, body);
        expect(stored.stored).toEqual(given);
        orders.add(assignment!.answers.map((text) => text.split(" ")[0]).join());
        const beside = (ranks: number[]) =>
          Object.fromEntries(assignment!.answers.map((text, place) => [text, ranks[place]]));
        shown.set(`${id} ${assignment!.request[0]!.content}`, {
          overall: beside(given.ranks),
          ...(given.criteria.clear && { clear: beside(given.criteria.clear) }),
        });
      }
    }
    const kept = await rankings();
    expect(kept).toHaveLength(24);
    for (const { ranking, origin } of kept) {
      const beside = (ranks: number[]) =>
        Object.fromEntries(ranking.answers.map((text, i) => [text, ranks[i]]));
      const [criterion] = ranking.criteria;
      const key = `${origin!.rater} ${ranking.prompt!.messages[0]!.content}`;
      expect({
        overall: beside(ranking.ranks),
        ...(criterion && { clear: beside(criterion.ranks) }),
      }).toEqual(shown.get(key));
    }
    expect(orders.size).toBeGreaterThan(5);
  });

  it("sends a rater no model's name, nobody else's ranks, no comparison's id", async () => {
    await putUp(database, 1);
    const { signIn } = await testServer(database);
    const [ann, bob] = [await signIn("Ann", "rater"), await signIn("Bob", "rater")];
    const { assignment } = await next(ann.call);
    const submission = { submissionId: uuid(), ranks: [1, 2, 3, 4], criteria: {}, elapsedMs: 1 };
    await ann.call("POST", `/api/rank/assignments/${assignment!.assignmentId}/submit`, submission);
    const sent = JSON.stringify(await next(bob.call));
    for (const secret of ["secret-model", '"c0"', ann.id, "Ann"])
      expect(sent).not.toContain(secret);
    expect(
      await bob.call(
        "POST",
        `/api/rank/assignments/${assignment!.assignmentId}/submit`,
        submission,
      ),
    ).toMatchObject({ status: 404 });
  });

  it("counts a repeat once, takes a submission back into hand, and lets the last word count", async () => {
    await putUp(database, 2);
    const { clock, signIn } = await testServer(database);
    const { call } = await signIn("Ann", "rater");
    const { assignment } = await next(call);
    const url = `/api/rank/assignments/${assignment!.assignmentId}/submit`;
    const first = { submissionId: uuid(), ranks: [1, 2, 2, 4], criteria: {}, elapsedMs: 5 };
    for (let i = 0; i < 3; i++)
      expect(await call("POST", url, first)).toMatchObject({ status: 200 });
    expect(await rankings()).toHaveLength(1);
    clock.ms += 1000;
    const { body: back } = await call<NextAssignment>("POST", "/api/rank/undo");
    expect(back.assignment).toMatchObject({
      assignmentId: assignment!.assignmentId,
      answers: assignment!.answers,
      previous: { ranks: [1, 2, 2, 4], criteria: {} },
    });
    await call("POST", url, { ...first, submissionId: uuid(), ranks: [4, 3, 2, 1] });
    const page = { pageSize: 0, pageToken: "", includeRevised: false };
    const { items } = await createFeedbackStore(database).listFeedback(page);
    expect(items).toHaveLength(1);
    expect(await next(call)).toMatchObject({ progress: { mine: { total: 1 }, waitingForMe: 1 } });
  });

  it("gives a skip back on undo, and refuses ranks that do not fit by their field", async () => {
    await putUp(database, 1);
    const { signIn } = await testServer(database);
    const { call } = await signIn("Ann", "rater");
    const id = (await next(call)).assignment!.assignmentId;
    const skip = { submissionId: uuid(), reason: "unclear", comment: "" };
    await call("POST", `/api/rank/assignments/${id}/skip`, skip);
    expect((await next(call)).assignment).toBeNull();
    expect((await call<NextAssignment>("POST", "/api/rank/undo")).body.assignment).toMatchObject({
      assignmentId: id,
    });
    const bad = { submissionId: uuid(), elapsedMs: 0, criteria: {} };
    for (const [ranks, field] of [
      [[1, 2, 3], "ranks"],
      [[1, 2, 3, 5], "ranks[3]"],
    ] as const) {
      const url = `/api/rank/assignments/${id}/submit`;
      expect(await call("POST", url, { ...bad, ranks })).toMatchObject({
        status: 400,
        error: { field },
      });
    }
    expect(await rankings()).toHaveLength(0);
  });

  it("refuses a late submission whose place somebody else has, and one that was withdrawn", async () => {
    await putUp(database, 1);
    const { clock, signIn } = await testServer(database, {
      defaults: { goldShare: 0, ratersPerComparison: 1 },
    });
    const [ann, bob] = [await signIn("Ann", "rater"), await signIn("Bob", "rater")];
    const late = (await next(ann.call)).assignment!;
    const submission = () => ({
      submissionId: uuid(),
      ranks: [1, 2, 3, 4],
      criteria: {},
      elapsedMs: 1,
    });
    clock.ms += 31 * 60_000;
    const taken = (await next(bob.call)).assignment!;
    const submit = (call: typeof ann.call, id: string) =>
      call("POST", `/api/rank/assignments/${id}/submit`, submission());
    expect(await submit(ann.call, late.assignmentId)).toMatchObject({ status: 409 });
    await database.db.updateTable("comparisons").set({ withdrawn_at: new Date() }).execute();
    expect(await submit(bob.call, taken.assignmentId)).toMatchObject({ status: 409 });
    expect(await rankings()).toHaveLength(0);
  });
});
