import { randomUUID } from "node:crypto";
import { createRandom } from "@stagecraft/core";
import type { feedback } from "@stagecraft/contracts";
import { common } from "@stagecraft/contracts";
import { addPerson, newSignInToken } from "../src/auth/people.js";
import { createFeedbackStore } from "../src/store/feedback-store.js";
import { createHttpServer, type HttpServer, type HttpServerOptions } from "../src/http/server.js";
import type { ApiFailure, PersonRole, Session } from "../src/http/api/index.js";
import type { Database } from "../src/store/database.js";

/** A server without a socket, and a clock to be set. */
export async function testServer(database: Database, options: Partial<HttpServerOptions> = {}) {
  const clock = { ms: Date.parse("2026-01-01T00:00:00Z") };
  const random = createRandom("http test");
  const server = await createHttpServer({
    database,
    defaults: { goldShare: 0, ratersPerComparison: 3 },
    pagesDir: import.meta.dirname,
    now: () => new Date(clock.ms),
    random: () => random.nextFloat(),
    ...options,
  });
  return {
    server,
    clock,
    signIn: (name: string, ...roles: PersonRole[]) =>
      signIn(database, server, { name, roles, clock }),
  };
}

export interface Answer<T> {
  status: number;
  body: T;
  error: ApiFailure["error"] | undefined;
  headers: Record<string, unknown>;
}

export type Caller = <T = Record<string, unknown>>(
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  url: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer<T>>;

/** Sends requests with a session's cookie and token. */
export function callerOf(server: HttpServer, session: { cookie?: string; csrf?: string }): Caller {
  return async <T>(method: Parameters<Caller>[0], url: string, body?: unknown, headers = {}) => {
    const response = await server.inject({
      ...{ method, url },
      headers: {
        host: "127.0.0.1:8080",
        ...(session.cookie && { cookie: session.cookie }),
        ...(session.csrf && { "x-csrf-token": session.csrf }),
        ...headers,
      },
      ...(body !== undefined && { payload: body as object }),
    });
    const isJson = String(response.headers["content-type"]).includes("json");
    const parsed = (isJson ? response.json() : response.body) as T;
    const { error } = (isJson ? parsed : {}) as Partial<ApiFailure>;
    return { status: response.statusCode, body: parsed, error, headers: response.headers };
  };
}

async function signIn(
  database: Database,
  server: HttpServer,
  { name, roles, clock }: { name: string; roles: PersonRole[]; clock: { ms: number } },
) {
  const { id, token } = await database.transact(async (tx) => {
    const id = await addPerson(tx, name, roles);
    return { id, ...(await newSignInToken(tx, id, new Date(clock.ms))) };
  });
  const { body, headers } = await callerOf(server, {})<Session>("POST", "/api/session", { token });
  const cookie = String(headers["set-cookie"]).split(";")[0]!;
  return {
    id,
    token,
    cookie,
    csrf: body.csrfToken,
    call: callerOf(server, { cookie, csrf: body.csrfToken }),
  };
}

/** What the audit holds, oldest first. */
export async function auditOf({ db }: Database) {
  const rows = await db.selectFrom("audit").selectAll().orderBy("id").execute();
  return rows.map(({ who, action, subject, details }) => ({
    ...{ who, action, subject },
    details: details as Record<string, unknown>,
  }));
}

/** Puts comparisons up: `number` of them, each with four answers. */
export async function putUp(database: Database, number: number, prefix = "c"): Promise<void> {
  const comparisons = Array.from({ length: number }, (_, i): feedback.Comparison => {
    const content = `question ${prefix}${i}`;
    return {
      comparisonId: `${prefix}${i}`,
      prompt: { messages: [{ role: common.Role.USER, content }] },
      answers: ["first", "second", "third", "fourth"].map((text) => `${text} of ${prefix}${i}`),
      kind: "question",
      modelVersion: "secret-model@7",
      batch: "round 1",
    };
  });
  await createFeedbackStore(database).addComparisons(comparisons);
}

export const uuid = () => randomUUID();
