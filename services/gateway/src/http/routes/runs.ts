import { StagecraftError } from "@stagecraft/core";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { audited } from "../../auth/audit.js";
import { findSessionByHash } from "../../auth/sessions.js";
import type { RunItem, StartRun } from "../api/index.js";
import { may, routesFor, type HttpContext } from "../context.js";
import { id, text } from "../fields.js";
import { sendEvents } from "../sse.js";
import { whenClosed } from "../when-closed.js";

const runParams = z.object({ runId: id });
const runIds = z.object({ ids: text(2000).transform((list) => list.split(",").filter(Boolean)) });
const newRun = z.strictObject({
  stage: id,
  name: z.string().regex(/^[A-Za-z0-9_-]{0,48}$/, "is of letters, digits, _ and -, at most 48"),
  config: z.record(z.string(), z.json()),
});

/** Streams of one gateway at a time: each looks at files several times a second. */
const MAX_STREAMS = 64;

/** A page of ours that is a file of its own: it may run its scripts and nothing more, and reads no cookie. */
const FILE_POLICY =
  "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'";

/** Runs: looked at, followed, started, paused, resumed, cancelled; for operators. */
export function runRoutes(
  app: FastifyInstance,
  { database, runs, now, logger }: HttpContext,
): void {
  const operator = routesFor(app, "operator");
  const watching = new Set<AbortController>();
  // A stream of a run ends with the run, which nobody who closes the server waits for.
  app.addHook("preClose", async () => watching.forEach((stop) => stop.abort()));
  const { db } = database;
  const sendPage = (reply: FastifyReply, page: string) =>
    reply
      .header("content-type", "text/html; charset=utf-8")
      .header("content-security-policy", FILE_POLICY)
      .send(page);

  operator.get("/api/runs", () => runs.list());
  operator.get("/api/runs/stages", () => runs.stages());
  operator.get("/api/runs/report", async (_, request, reply) => {
    const { ids } = runIds.parse(request.query);
    return sendPage(reply, await runs.reportPage(ids));
  });
  operator.post<RunItem>("/api/runs", async ({ name: who }, request) => {
    const wanted = newRun.parse(request.body) as StartRun;
    const subject = [wanted.stage, wanted.name].filter(Boolean).join(" ");
    const outcome = ({ name }: RunItem) => ({ run: name }); // the trainer may have chosen it
    const note = { who, action: "run.start", subject, outcome };
    return audited({ db, logger }, note, () => runs.start(wanted));
  });
  operator.get("/api/runs/:runId", (_, request) =>
    runs.details(runParams.parse(request.params).runId),
  );
  operator.get("/api/runs/:runId/answers", async (_, request, reply) =>
    sendPage(reply, await runs.answersPage(runParams.parse(request.params).runId)),
  );
  operator.get("/api/runs/:runId/events", async (_, request, reply) => {
    const { runId } = runParams.parse(request.params);
    await runs.details(runId); // a run that is not there is an error, not a stream
    if (watching.size >= MAX_STREAMS) {
      throw new StagecraftError("resource_exhausted", "too many runs are being watched", {
        details: { advice: "close a window that shows some" },
      });
    }
    const { sessionHash } = request.signedIn!;
    const mayLook = async () => {
      const signedIn = await findSessionByHash(database.db, sessionHash, now());
      return signedIn !== undefined && may(signedIn.person, "operator");
    };
    const stop = new AbortController();
    whenClosed(reply, () => stop.abort());
    watching.add(stop);
    try {
      await sendEvents(reply, runs.follow(runId, { signal: stop.signal, mayLook }));
    } finally {
      watching.delete(stop);
      stop.abort();
    }
  });
  for (const action of ["pause", "resume", "cancel"] as const) {
    operator.post<RunItem>(`/api/runs/:runId/${action}`, async ({ name: who }, request) => {
      const { runId } = runParams.parse(request.params);
      const { name: subject } = await runs.item(runId);
      const note = { who, action: `run.${action}`, subject };
      return audited({ db, logger }, note, () => runs.control(runId, action));
    });
  }
}
