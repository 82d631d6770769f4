import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createOidcProvider } from "../src/auth/oidc/provider.js";
import type { RoleRules } from "../src/auth/oidc/person-of-claims.js";
import type { PersonRole, Session } from "../src/http/api/index.js";
import type { Database } from "../src/store/database.js";
import { emptyDatabase, openTestDatabase } from "./databases.js";
import { callerOf, testServer } from "./http-kit.js";
import { startTestProvider } from "./test-provider.js";

let database: Database;
let provider: Awaited<ReturnType<typeof startTestProvider>>;
beforeAll(async () => {
  database = await openTestDatabase();
  provider = await startTestProvider({ id: "gateway", secret: "s3:cret/+" });
});
beforeEach(() => emptyDatabase(database.db));
afterAll(async () => {
  await database.close();
  await provider[Symbol.asyncDispose]();
});

const ANN = { sub: "1", email: "Ann@example.org", email_verified: true };

/** A gateway whose people sign in at the provider; `come` is a browser that goes there and back. */
async function gateway(roles: Record<string, PersonRole[]> = {}) {
  const { issuer } = provider;
  const client = { clientId: "gateway", clientSecret: "s3:cret/+" };
  const now = () => new Date("2026-01-01T00:00:00Z");
  const rules: RoleRules = { claim: "groups", roles: new Map(Object.entries(roles)) };
  const name = "Example";
  const oidc = { provider: createOidcProvider({ issuer, ...client, now }), issuer, name, rules };
  const { server, signIn } = await testServer(database, { oidc });
  const get = async (url: string, cookie = "") => {
    const headers = { host: "127.0.0.1:8080", ...(cookie && { cookie }) };
    const answer = await server.inject({ method: "GET", url, headers });
    const cookies = answer.cookies.map(({ name: key, value }) => `${key}=${value}`);
    return { status: answer.statusCode, to: String(answer.headers.location), cookies };
  };
  const come = async ({ withCookie = true } = {}) => {
    const away = await get("/api/session/oidc");
    const there = await fetch(away.to, { redirect: "manual" });
    const back = new URL(there.headers.get("location")!);
    const home = await get(`${back.pathname}${back.search}`, withCookie ? away.cookies[0] : "");
    const cookie = home.cookies.find((each) => each.startsWith("stagecraft-session="));
    if (!cookie) return { to: home.to, session: undefined, back };
    const { body: session } = await callerOf(server, { cookie })<Session>("GET", "/api/session");
    return { to: home.to, session, back };
  };
  return { come, get, signIn, server };
}

const actions = async () => {
  const rows = await database.db.selectFrom("audit").selectAll().orderBy("id").execute();
  return rows.map(({ who, action }) => `${who} ${action}`);
};

describe("signing in at a provider", () => {
  it("lets in who was invited under an address that the provider has verified", async () => {
    const { come, signIn, server } = await gateway();
    await signIn("ann@example.org", "rater", "writer");
    provider.isNext(ANN);
    const first = await come();
    expect(first.to).toBe("/");
    expect(first.session!.me).toMatchObject({
      name: "ann@example.org",
      roles: ["rater", "writer"],
    });
    provider.isNext({ ...ANN, email: "ann@elsewhere.example" });
    expect((await come()).session!.me.name).toBe("ann@example.org"); // known by now
    expect(await actions()).toEqual([
      "system person.bind",
      ...["ann@example.org person.sign-in", "ann@example.org person.sign-in"],
    ]);
    const { body } = await callerOf(server, {})("GET", "/api/sign-in");
    expect(body).toEqual({ provider: "Example" });
  });

  it("reads the provider's keys again when it signs with another one of the same name", async () => {
    const { come, signIn } = await gateway();
    await signIn("ann@example.org", "rater");
    provider.isNext(ANN);
    expect((await come()).to).toBe("/");
    provider.exchangeKey();
    expect((await come()).to).toBe("/");
  });

  it("keeps out strangers, addresses that nobody verified, other people's names and the inactive", async () => {
    const { come, signIn } = await gateway();
    const ann = await signIn("ann@example.org", "rater");
    const eve = { sub: "2", email: "ann@example.org", email_verified: true };
    const out = async (claims: object) => {
      provider.isNext(claims);
      expect(await come()).toMatchObject({ to: "/sign-in?problem=stranger", session: undefined });
    };
    await out({ sub: "3", email: "bob@example.org", email_verified: true });
    await out({ ...ANN, email_verified: undefined });
    await out({ sub: "4", name: "ann@example.org" });
    provider.isNext(ANN);
    await come();
    await out(eve); // the address is bound to Ann's sub
    const quit = database.db.updateTable("people").set({ active: false }).where("id", "=", ann.id);
    await quit.execute();
    await out(ANN);
    expect((await actions()).filter((line) => line.endsWith("person.refuse"))).toHaveLength(5);
  });

  it("gives roles by a claim, anew each time, and none without one", async () => {
    const { come } = await gateway({ people: ["rater", "writer"], boss: ["operator"] });
    const as = async (...groups: string[]) => {
      provider.isNext({ ...ANN, groups });
      return (await come()).session?.me.roles;
    };
    expect(await as("people", "others")).toEqual(["rater", "writer"]);
    expect(await as("boss")).toEqual(["operator"]);
    expect(await as("others")).toBeUndefined();
    const people = await database.db.selectFrom("people").selectAll().execute();
    expect(people).toMatchObject([{ roles: [] }]);
    expect(await database.db.selectFrom("sessions").selectAll().execute()).toEqual([]);
    expect(await as("people")).toEqual(["rater", "writer"]);
  });

  it("lets in two people of one name, and nobody under a name of the gateway's own", async () => {
    const { come } = await gateway({ people: ["rater"] });
    const nameOf = async (sub: string, name: string) => {
      provider.isNext({ sub, name, groups: ["people"] });
      return (await come()).session?.me.name;
    };
    expect(await nameOf("1", "Kim")).toBe("Kim");
    expect(await nameOf("2", "kim")).toMatch(/^kim \([\w-]{8}\)$/);
    expect(await nameOf("3", "operator")).toMatch(/^operator \(/);
    expect(await nameOf("1", "Kim")).toBe("Kim"); // known by now
  });

  it("refuses tokens that do not fit, other browsers, other states, and codes used twice", async () => {
    const { come, get, signIn } = await gateway();
    await signIn("ann@example.org", "rater");
    const failed = { to: "/sign-in?problem=provider", session: undefined };
    for (const wrong of [{ nonce: "x" }, { aud: "you" }, { iss: "http://x" }, { exp: 1 }]) {
      provider.isNext(ANN, wrong);
      expect(await come()).toMatchObject(failed);
    }
    provider.isNext(ANN);
    expect(await come({ withCookie: false })).toMatchObject(failed);
    const { back, to } = await come();
    expect(to).toBe("/");
    const replayed = `${back.pathname}${back.search}`;
    const state = back.searchParams.get("state")!;
    expect((await get(replayed, `stagecraft-oidc=${state}.n.v`)).to).toBe(failed.to);
    expect((await get(replayed, "stagecraft-oidc=other.n.v")).to).toBe(failed.to);
    const cancelled = `/api/session/oidc/callback?error=access_denied&state=s`;
    expect((await get(cancelled, "stagecraft-oidc=s.n.v")).to).toBe(failed.to);
  });

  it("wants an https issuer, and one that calls itself so", async () => {
    const options = { clientId: "a", clientSecret: "", now: () => new Date() };
    expect(() => createOidcProvider({ ...options, issuer: "http://login.example.org" })).toThrow(
      "must be an https URL",
    );
    const issuer = provider.issuer.replace("127.0.0.1", "localhost");
    const begun = createOidcProvider({ ...options, issuer }).begin("http://127.0.0.1/back");
    await expect(begun).rejects.toThrow("calls itself");
  });
});
