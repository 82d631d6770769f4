import { writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tempDir, type PagesClient, type TempDir } from "@stagecraft/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../src/store/database.js";
import { openTestDatabase } from "./databases.js";
import { EVERY_ROUTE, OF_PROGRAMS, type Who } from "./every-route.js";
import { uuid } from "./http-kit.js";
import { openRouteWorld, SECRET_MODEL, type RouteWorld } from "./route-world.js";

const EVERYBODY: readonly Who[] = ["nobody", "rater", "writer", "operator", "admin"];

let dir: TempDir;
let database: Database;
let world: RouteWorld;
beforeAll(async () => {
  [dir, database] = await Promise.all([tempDir(), openTestDatabase()]);
  await writeFile(dir.file("index.html"), "<!doctype html>");
  world = await openRouteWorld(database, dir.path);
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await database?.close();
  await dir?.[Symbol.asyncDispose]();
});

const clientOf = (who: Who) => (who === "nobody" ? undefined : world.signIn(who));

/** The route's good request, sent with whatever session and headers. */
async function send(route: string, client: PagesClient | undefined, headers = {}) {
  const [method, url] = route.split(" ") as [string, string];
  const { path = url, body } = (await EVERY_ROUTE[route]!.request?.(world, client)) ?? {};
  const response = await fetch(`${world.origin}${path}`, {
    method,
    headers: {
      ...(client && { cookie: client.cookie, "x-csrf-token": client.csrfToken }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** Has a model answer, over a connection of the agent. */
async function askOver(agent: Agent, { origin, cookie, csrfToken }: PagesClient): Promise<void> {
  const { body } = await EVERY_ROUTE["POST /api/break/answers"]!.request!(world, undefined);
  const headers = { cookie, "x-csrf-token": csrfToken, "content-type": "application/json" };
  const options = { agent, method: "POST", headers };
  await new Promise((resolve, reject) => {
    request(`${origin}/api/break/answers`, options, (answer) => {
      expect(answer.statusCode).toBe(200);
      answer.resume().once("end", resolve);
    })
      .once("error", reject)
      .end(JSON.stringify(body));
  });
}

describe("every route", () => {
  it("has a row in the table of routes", () => {
    const ofPages = world.routes.filter((route) => !OF_PROGRAMS.some((own) => own.test(route)));
    expect(ofPages.sort()).toEqual(Object.keys(EVERY_ROUTE).sort());
  });

  for (const [route, { may }] of Object.entries(EVERY_ROUTE)) {
    it(`${route} takes a good request from ${may.join(", ")}, and from nobody else`, async () => {
      for (const who of EVERYBODY) {
        const { status, text } = await send(route, await clientOf(who));
        const expected = may.includes(who) ? 200 : who === "nobody" ? 401 : 403;
        expect(`${who}: ${status} ${status === expected ? "" : text}`).toBe(`${who}: ${expected} `);
      }
    });
  }

  it("that changes something refuses other sites, and other sessions' tokens", async () => {
    for (const [route, { may }] of Object.entries(EVERY_ROUTE)) {
      if (route.startsWith("GET ")) continue;
      const client = await clientOf(may.at(-1)!);
      const other = await world.signIn("admin");
      const isWithoutToken = /^POST \/api\/session(\/password)?$/.test(route);
      const attempts = [
        { origin: "https://evil.example" },
        { "sec-fetch-site": "cross-site" },
        ...(isWithoutToken ? [] : [{ "x-csrf-token": "" }, { "x-csrf-token": other.csrfToken }]),
      ];
      for (const headers of attempts) {
        const { status } = await send(route, client, headers);
        expect(`${route} ${JSON.stringify(headers)}: ${status}`).toMatch(/: 403$/);
      }
    }
  });

  it("refuses what is no request of its own: wrong types, unknown fields, foreign ids", async () => {
    const admin = await world.signIn("admin");
    for (const [route, row] of Object.entries(EVERY_ROUTE)) {
      const [method, url] = route.split(" ") as [string, string];
      const { path = url, body } = (await row.request?.(world, admin)) ?? {};
      if (body === undefined) continue;
      for (const bad of [{ ...body, unknownField: 1 }, [], "text", 7]) {
        const { status } = await admin.call(method, path, bad);
        expect(`${route} ${JSON.stringify(bad).slice(0, 40)}: ${status}`).toMatch(/: 400$/);
      }
    }
  });
});

describe("a connection on which one person asks again and again", () => {
  it("gathers no listeners", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => void warnings.push(warning);
    process.on("warning", note);
    const client = await world.signIn("writer");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 15; i++) await askOver(agent, client);
    agent.destroy();
    await new Promise(setImmediate);
    process.off("warning", note);
    expect(warnings.map(({ name }) => name)).not.toContain("MaxListenersExceededWarning");
  });
});

describe("sessions", () => {
  it("never take over a cookie that was there before signing in", async () => {
    const cookie = "stagecraft-session=chosen-by-somebody-else";
    const token = await world.newToken();
    const response = await fetch(`${world.origin}/api/session`, {
      method: "POST",
      headers: { cookie, "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("set-cookie")).not.toContain("chosen-by-somebody-else");
    const before = await fetch(`${world.origin}/api/session`, { headers: { cookie } });
    expect(before.status).toBe(401);
  });

  it("end for a person who is sent away, at once", async () => {
    const [admin, rater] = [await world.signIn("admin"), await world.signIn("rater")];
    await admin.ok("PATCH", `/api/people/${rater.personId}`, { active: false });
    expect(await rater.call("POST", "/api/rank/next")).toMatchObject({ status: 401 });
  });
});

describe("what is sent to raters and writers", () => {
  it("names no model, nobody else, no comparison, and nothing that others said", async () => {
    const other = await world.signIn("rater", "writer");
    const { assignmentId, answers } = await world.assignmentOf(other);
    const said = `said by ${uuid()}`;
    const [submissionId, path] = [uuid(), `/api/rank/assignments/${assignmentId}`];
    const ranks = answers.map((_, i) => i + 1);
    await other.ok("POST", `${path}/submit`, { submissionId, ranks, criteria: {}, elapsedMs: 5 });
    const flag = { answer: 0, category: "hate", comment: said };
    await other.ok("POST", `${path}/flag`, { submissionId: uuid(), ...flag });
    const turns = [
      { role: "user", content: said, answerId: null },
      { role: "assistant", content: said, answerId: null },
    ];
    for (const action of ["", "submit"]) {
      const draftId = uuid();
      const draft = { submissionId: draftId, requestId: null, turns };
      await other.ok("POST", "/api/write/drafts", draft);
      const submitted = { submissionId: uuid(), revision: 1 };
      if (action) await other.ok("POST", `/api/write/drafts/${draftId}/submit`, submitted);
    }

    const secrets = [SECRET_MODEL, "hidden-", other.name, other.personId, said, submissionId];
    const client = await world.signIn("rater", "writer");
    let numAnswers = 0;
    for (const [route, { may }] of Object.entries(EVERY_ROUTE)) {
      if (!may.includes("rater") && !may.includes("writer")) continue;
      const own = route === "DELETE /api/session" ? await world.signIn("rater") : client;
      const { status, text, headers } = await send(route, own);
      expect(`${route}: ${status}`).toBe(`${route}: 200`);
      const sent = text + JSON.stringify([...headers]);
      expect(
        secrets.filter((secret) => sent.includes(secret)).map((s) => `${route}: ${s}`),
      ).toEqual([]);
      numAnswers++;
    }
    expect(numAnswers).toBeGreaterThan(20);
  });
});
