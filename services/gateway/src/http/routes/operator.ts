import { feedback } from "@stagecraft/contracts";
import { callInProcess } from "@stagecraft/rpc";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { writeAudit, type AuditNote } from "../../auth/audit.js";
import { setGold, withdrawComparisons } from "../../feedback/comparisons-admin.js";
import { createFeedbackService } from "../../feedback/feedback-service.js";
import { addRequests } from "../../feedback/requests.js";
import { auditRows, flagsSeen, goldItems, overview, queueItems } from "../../operator/lists.js";
import { exportText } from "../../operator/export.js";
import type { Tx } from "../../store/database.js";
import { readCriteria, readSettings, writeSetting } from "../../store/settings.js";
import type { CriteriaSettings, Settings } from "../api/index.js";
import { routesFor, type HttpContext } from "../context.js";
import { after, id, openTurns, ranks, text } from "../fields.js";

const settings = z
  .strictObject({
    ratersPerComparison: z.int().min(1).max(100),
    leaseMinutes: z.int().min(1).max(1440),
    goldShare: z.number().min(0).max(0.5),
    automaticRounds: z.boolean(),
  })
  .partial();
const criterion = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "is of small letters, digits and hyphens"),
  name: text(40).min(1),
  question: text(200),
  ask: z.enum(["off", "optional", "required"]),
});
const criteria = z.strictObject({
  criteria: z
    .array(criterion)
    .max(20)
    .refine((list) => new Set(list.map(({ id: each }) => each)).size === list.length, "ids repeat"),
});
const withdrawn = z.strictObject({ comparisonIds: z.array(id).min(1).max(1000) });
const gold = z.strictObject({ ranks });
const requests = z.strictObject({
  requests: z
    .array(z.strictObject({ turns: openTurns }))
    .min(1)
    .max(1000),
});
const queueQuery = after.extend({ state: z.enum(["open", "done", "withdrawn"]).default("open") });
const comparison = z.object({ comparisonId: id });
const exportParams = z.object({ kind: z.enum(["rankings", "demonstrations", "flags"]) });

/** The operator's page. What changes something is written down with it. */
export function operatorRoutes(app: FastifyInstance, context: HttpContext): void {
  const operator = routesFor(app, "operator");
  const { database, defaults, logger, now } = context;
  const { db, transact } = database;
  const { handlers } = createFeedbackService({ database, defaults });
  const reader = callInProcess(feedback.FeedbackServiceService, handlers, { logger });
  const change = (note: AuditNote, work: (tx: Tx) => Promise<unknown>) =>
    transact(async (tx) => {
      await work(tx);
      await writeAudit(tx, note);
    });

  operator.get("/api/operator/overview", () => overview(context));
  operator.get<Settings>("/api/operator/settings", () => readSettings(db, defaults));
  operator.patch<Settings>("/api/operator/settings", async ({ name: who }, request) => {
    const details = settings.parse(request.body);
    await change({ who, action: "settings.change", subject: "settings", details }, async (tx) =>
      writeSetting(tx, "settings", { ...(await readSettings(tx, defaults)), ...details }),
    );
    return readSettings(db, defaults);
  });
  operator.get<CriteriaSettings>("/api/operator/criteria", () => readCriteria(db));
  operator.put<CriteriaSettings>("/api/operator/criteria", async ({ name: who }, request) => {
    const value = criteria.parse(request.body);
    const note = { who, action: "criteria.change", subject: "criteria", details: value };
    await change(note, (tx) => writeSetting(tx, "criteria", value));
    return readCriteria(db);
  });
  operator.get("/api/operator/queue", (_, request) =>
    queueItems(context, queueQuery.parse(request.query)),
  );
  operator.post("/api/operator/queue/withdraw", async ({ name: who }, request) => {
    const details = withdrawn.parse(request.body);
    let numWithdrawn = 0;
    await change({ who, action: "queue.withdraw", subject: "queue", details }, async (tx) => {
      numWithdrawn = await withdrawComparisons(tx, { ...details, batch: "" }, now());
    });
    return { numWithdrawn };
  });
  operator.get("/api/operator/gold", async () => ({ items: await goldItems(db) }));
  operator.put("/api/operator/gold/:comparisonId", async ({ name: who }, request) => {
    const { comparisonId: subject } = comparison.parse(request.params);
    const { ranks: right } = gold.parse(request.body);
    await change({ who, action: "gold.set", subject }, (tx) => setGold(tx, subject, right));
    return (await goldItems(db)).find(({ comparisonId }) => comparisonId === subject);
  });
  operator.delete("/api/operator/gold/:comparisonId", async ({ name: who }, request) => {
    const { comparisonId: subject } = comparison.parse(request.params);
    await change({ who, action: "gold.unset", subject }, (tx) => setGold(tx, subject, []));
    return { ok: true };
  });
  operator.post("/api/operator/requests", async ({ name: who }, request) => {
    const given = requests.parse(request.body).requests.map(({ turns }) => turns);
    let numAdded = 0;
    const details = { given: given.length };
    await change({ who, action: "requests.add", subject: "requests", details }, async (tx) => {
      numAdded = await addRequests(tx, given);
    });
    return { numAdded };
  });
  operator.get("/api/operator/flags", (_, request) => flagsSeen(db, after.parse(request.query)));
  operator.get("/api/operator/audit", (_, request) => auditRows(db, after.parse(request.query)));
  operator.get("/api/operator/export/:kind", async ({ name: who }, request, reply) => {
    const { kind } = exportParams.parse(request.params);
    await writeAudit(db, { who, action: "export", subject: kind });
    reply.header("content-type", "application/x-ndjson; charset=utf-8");
    reply.header("content-disposition", `attachment; filename="${kind}.jsonl"`);
    return reply.send(exportText(reader, kind));
  });
}
