import { Readable } from "node:stream";
import { StagecraftError } from "@stagecraft/core";
import type { RegisteredVersion } from "@stagecraft/registry";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { audited, writeAudit } from "../../auth/audit.js";
import { registryView, type RegistryDesk } from "../../models/registry-view.js";
import { tarOf } from "../../models/tar.js";
import type { RegistryView } from "../api/index.js";
import { routesFor, type HttpContext } from "../context.js";

const model = z.object({ name: z.string().min(1).max(64) });
const version = z.coerce.number().int().min(1);
const promotion = z.strictObject({ version: z.int().min(1) });

/** The Models page: operators see versions, put them to use, go back, and take them home. */
export function registryRoutes(app: FastifyInstance, context: HttpContext): void {
  const operator = routesFor(app, "operator");
  const { db } = context.database;
  const { logger } = context;
  operator.get<RegistryView>("/api/registry", () => registryView(deskOf(context)));
  operator.post<RegistryView>("/api/registry/:name/promote", async ({ name: who }, request) => {
    const { name } = model.parse(request.params);
    const { version: wanted } = promotion.parse(request.body);
    const desk = deskOf(context);
    const note = { who, action: "model.promote", subject: `${name}@${wanted}` };
    const promote = () => desk.registry.promote(name, wanted, { by: who });
    return changedTo(desk, await audited({ db, logger }, note, promote));
  });
  operator.post<RegistryView>("/api/registry/:name/rollback", async ({ name: who }, request) => {
    const { name } = model.parse(request.params);
    const desk = deskOf(context);
    const outcome = ({ version: now }: RegisteredVersion) => ({ version: now });
    const note = { who, action: "model.rollback", subject: name, outcome };
    const rollBack = () => desk.registry.rollBack(name, { by: who });
    return changedTo(desk, await audited({ db, logger }, note, rollBack));
  });
  operator.get("/api/registry/:name/:version/archive", async ({ name: who }, request, reply) => {
    const asked = model.extend({ version }).parse(request.params);
    const { registry } = deskOf(context);
    const found = await registry.find(`${asked.name}@${asked.version}`);
    await writeAudit(db, {
      who,
      action: "model.download",
      subject: `${found.name}@${found.version}`,
    });
    const folder = `${found.name}-${found.version}`;
    reply.header("content-type", "application/x-tar");
    reply.header("content-disposition", `attachment; filename="${folder}.tar"`);
    return reply.send(Readable.from(tarOf(await registry.files(found), folder)));
  });
}

/** Lets the version answer, and shows what there is now. What fails here does not undo the change, and says so. */
async function changedTo(desk: RegistryDesk, now: RegisteredVersion): Promise<RegistryView> {
  await desk.onChange(now);
  return registryView(desk).catch((thrown: unknown) => {
    const { code, reason } = StagecraftError.from(thrown);
    throw new StagecraftError(
      code,
      `${now.name}@${now.version} is in use now, but the registry cannot be read again: ${reason}`,
      { cause: thrown },
    );
  });
}

function deskOf({ registry }: HttpContext): RegistryDesk {
  if (registry) return registry;
  throw new StagecraftError("not_found", "these pages have no registry of models", {
    details: { advice: "start the gateway with --registry FILE, or run stagecraft studio" },
  });
}
