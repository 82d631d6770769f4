import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { createApiKey, endApiKey, listApiKeys } from "../../auth/api-keys.js";
import { writeAudit } from "../../auth/audit.js";
import type { ApiKeyCreated, ApiKeys } from "../api/index.js";
import { routesFor, type HttpContext } from "../context.js";
import { id, text } from "../fields.js";

const limit = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)
  .nullable();
const newKey = z.strictObject({
  name: text(80).trim().min(1),
  scopes: z
    .array(z.enum(["generate", "score"]))
    .min(1)
    .max(2),
  requestsPerMinute: limit,
  tokensPerMinute: limit,
  concurrent: limit,
});
const params = z.object({ keyId: id });

/** Keys of programs, for admins. */
export function keyRoutes(app: FastifyInstance, { database }: HttpContext): void {
  const admin = routesFor(app, "admin");
  admin.get<ApiKeys>("/api/operator/keys", async () => ({
    keys: await listApiKeys(database.db),
  }));
  admin.post<ApiKeyCreated>("/api/operator/keys", async ({ name: who }, request) => {
    const given = newKey.parse(request.body);
    return database.transact(async (tx) => {
      const { keyId, secret } = await createApiKey(tx, given);
      await writeAudit(tx, { who, action: "key.create", subject: keyId, details: given });
      const key = (await listApiKeys(tx)).find((each) => each.keyId === keyId)!;
      return { key, secret };
    });
  });
  admin.delete("/api/operator/keys/:keyId", async ({ name: who }, request) => {
    const { keyId } = params.parse(request.params);
    await database.transact(async (tx) => {
      const name = await endApiKey(tx, keyId);
      await writeAudit(tx, { who, action: "key.end", subject: keyId, details: { name } });
    });
    return { ok: true };
  });
}
