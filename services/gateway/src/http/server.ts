import { readFileSync } from "node:fs";
import type { Server as HttpsServer } from "node:https";
import { fileURLToPath } from "node:url";
import cookie from "@fastify/cookie";
import { followCertificate } from "@stagecraft/rpc";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import Fastify, { type FastifyInstance } from "fastify";
import type { LoopControl } from "../loop/loop-control.js";
import type { RegistryDesk } from "../models/registry-view.js";
import { fixedModels, type ServedModels } from "../openai/backend.js";
import { openAiApi } from "../openai/plugin.js";
import { storedKeys } from "../openai/stored-keys.js";
import { createRunCatalog, type RunCatalog } from "../runs/run-catalog.js";
import type { Database } from "../store/database.js";
import type { Settings } from "./api/index.js";
import { createBeginSession } from "./begin-session.js";
import type { HttpContext, Routes } from "./context.js";
import { errorOf, failureOf } from "./failure.js";
import { closeGracefully } from "./graceful-close.js";
import { guard, type RequestsPerMinute } from "./guard.js";
import { secureHeaders } from "./headers.js";
import { answerRoutes } from "./routes/answers.js";
import { keyRoutes } from "./routes/keys.js";
import { loopRoutes } from "./routes/loop.js";
import { oidcRoutes, type OidcSignIn } from "./routes/oidc.js";
import { operatorRoutes } from "./routes/operator.js";
import { peopleRoutes } from "./routes/people.js";
import { rankRoutes } from "./routes/rank.js";
import { registryRoutes } from "./routes/registry.js";
import { runRoutes } from "./routes/runs.js";
import { sessionRoutes } from "./routes/session.js";
import { writeRoutes } from "./routes/write.js";
import { checkSite, isLocal, originOf, type Site } from "./site.js";
import { staticPages } from "./static-pages.js";

export interface HttpServerOptions extends Partial<Site> {
  database: Database;
  /** Settings until an operator changes them. */
  defaults?: Partial<Settings>;
  /** Who answers; default: nobody. */
  models?: ServedModels;
  loop?: LoopControl;
  /** Default: people sign in by links and passwords alone. */
  oidc?: OidcSignIn;
  /** Versions of models that operators choose from. */
  registry?: RegistryDesk;
  /** Runs to look at and to steer; default: none. */
  runs?: RunCatalog;
  /** Folder of the built pages; default: as the build leaves them. */
  pagesDir?: string;
  logger?: Logger;
  now?: () => Date;
  random?: () => number;
  /** Default: 1200 of a person, 300 of an address where nobody is signed in. */
  requestsPerMinute?: RequestsPerMinute;
  /** Time for what is being answered when it closes, ms; then it is given up. Default 2 s. */
  graceMs?: number;
}

export interface HttpServer extends AsyncDisposable {
  /** Listens; resolves with where people find it. */
  start(): Promise<{ port: number; origin: string }>;
  /** Takes no more requests, finishes what is being answered within the grace, and ends. */
  close(): Promise<void>;
  /** For tests: every route, such as `GET /api/people`. */
  readonly routes: readonly string[];
  /** For tests: a request without a socket. */
  readonly inject: FastifyInstance["inject"];
}

const BODY_LIMIT = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const PAGES_DIR = fileURLToPath(new URL("../../dist/web", import.meta.url));
const ROUTES: readonly Routes[] = [
  rankRoutes,
  answerRoutes,
  writeRoutes,
  peopleRoutes,
  operatorRoutes,
  keyRoutes,
  loopRoutes,
  registryRoutes,
  runRoutes,
];

/** The pages, their JSON API, and OpenAI's API for programs. Throws `failed_precondition` where they would go in plaintext over a network. */
export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { logger = silentLogger(), pagesDir = PAGES_DIR, graceMs = 2000 } = options;
  const site: Site = {
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    trustedProxies: options.trustedProxies ?? [],
    publicUrl: options.publicUrl ?? "",
    ...(options.tls && { tls: options.tls }),
  };
  checkSite(site);
  const isSecure = site.tls !== undefined || site.publicUrl.startsWith("https:");
  let port = site.port;
  const context: HttpContext = {
    database: options.database,
    defaults: options.defaults ?? {},
    models: options.models ?? fixedModels({}),
    loop: options.loop,
    registry: options.registry,
    runs: options.runs ?? createRunCatalog({ dirs: [] }),
    logger,
    now: options.now ?? (() => new Date()),
    random: options.random ?? Math.random,
    origin: () => originOf(site, port),
  };
  const app = createApp(site);
  const routes = noteRoutes(app);
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = errorOf(thrown);
    const { status, body } = failureOf(error);
    if (status >= 500) logger.error({ err: thrown, url: request.url }, "http: request failed");
    return reply.status(status).send(body);
  });
  const graceful = closeGracefully(app);
  const unfollow = site.tls && showRenewed(app, site.tls, logger);
  await app.register(cookie);
  secureHeaders(app, { isSecure });
  const { requestsPerMinute = { perPerson: 1200, perAddress: 300 } } = options;
  guard(app, context, { site, isSecure, requestsPerMinute });
  const begin = createBeginSession(context, isSecure);
  sessionRoutes(app, { ...context, isSecure }, begin);
  const { oidc } = options;
  oidcRoutes(app, { ...context, isSecure, ...(oidc && { oidc }) }, begin);
  for (const each of ROUTES) each(app, context);
  const { database, models, now } = context;
  const authenticate = storedKeys({ database, now, openWithoutKeys: isLocal(site) });
  const { signal } = graceful;
  await app.register(openAiApi, { models, authenticate, logger, signal });
  await staticPages(app, pagesDir);
  const close = () => {
    unfollow?.();
    return graceful.close(graceMs);
  };
  return {
    async start() {
      await app.listen({ host: site.host, port: site.port });
      const address = app.server.address();
      if (typeof address === "object" && address) port = address.port;
      return { port, origin: originOf(site, port) };
    },
    ...{ close, routes },
    [Symbol.asyncDispose]: close,
    inject: app.inject.bind(app),
  };
}

/** The routes that are registered from now on; HEAD comes with GET. */
function noteRoutes(app: FastifyInstance): string[] {
  const routes: string[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) if (each !== "HEAD") routes.push(`${each} ${url}`);
  });
  return routes;
}

/** New connections see a renewed certificate; those that stand keep theirs. */
function showRenewed(app: FastifyInstance, tls: NonNullable<Site["tls"]>, logger: Logger) {
  const server = app.server as unknown as HttpsServer;
  const warn = (message: string) => logger.warn({ certFile: tls.certFile }, message);
  return followCertificate(tls, (pair) => server.setSecureContext(pair), warn);
}

function createApp({ tls, trustedProxies }: Site): FastifyInstance {
  const https = tls && { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) };
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 1024 },
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    ...(https && { https }),
  } as Parameters<typeof Fastify>[0]) as unknown as FastifyInstance;
  app.removeContentTypeParser("text/plain"); // forms of other sites can send it; JSON they cannot
  return app;
}
