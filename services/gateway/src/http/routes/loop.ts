import { StagecraftError } from "@stagecraft/core";
import type { FastifyInstance } from "fastify";
import { audited } from "../../auth/audit.js";
import type { LoopControl } from "../../loop/loop-control.js";
import { loopStatus } from "../../loop/loop-status.js";
import type { LoopStatus } from "../api/index.js";
import { anybody, may, personOf, type HttpContext } from "../context.js";

/** What the loop does; operators start and stop its rounds. */
export function loopRoutes(app: FastifyInstance, context: HttpContext): void {
  app.get("/api/loop", (request): Promise<LoopStatus> => {
    const isOperator = may(anybody(request), "operator");
    return loopStatus(context, { isOperator });
  });
  for (const action of ["start", "stop"] as const) {
    app.post(`/api/loop/${action}`, async (request): Promise<LoopStatus> => {
      const { name: who } = personOf(request, "operator");
      const { logger, database } = context;
      const control = controlOf(context);
      const note = { who, action: `loop.${action}`, subject: "loop" };
      await audited({ db: database.db, logger }, note, () => control[action]());
      return loopStatus(context, { isOperator: true });
    });
  }
}

function controlOf({ loop }: HttpContext): LoopControl {
  if (loop) return loop;
  throw new StagecraftError("failed_precondition", "no loop runs beside these pages", {
    details: { advice: "run `stagecraft studio`, or `stagecraft loop --ranker feedback` by hand" },
  });
}
