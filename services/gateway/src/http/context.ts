import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { KnownPerson } from "../auth/people.js";
import type { SignedIn } from "../auth/sessions.js";
import type { LoopControl } from "../loop/loop-control.js";
import type { RegistryDesk } from "../models/registry-view.js";
import type { ServedModels } from "../openai/backend.js";
import type { RunCatalog } from "../runs/run-catalog.js";
import type { Database } from "../store/database.js";
import type { PersonRole, Settings } from "./api/index.js";

/** What the routes work with. */
export interface HttpContext {
  database: Database;
  defaults: Partial<Settings>;
  models: ServedModels;
  loop: LoopControl | undefined;
  registry: RegistryDesk | undefined;
  runs: RunCatalog;
  logger: Logger;
  now(): Date;
  random(): number;
  /** Where people are sent, such as `http://127.0.0.1:8080`. */
  origin(): string;
}

export type Routes = (app: FastifyInstance, context: HttpContext) => void;

declare module "fastify" {
  interface FastifyRequest {
    signedIn: SignedIn | undefined;
  }
}

/** May rank, write and break; may write; may look after all; may do everything. */
const MAY: Readonly<Record<PersonRole, readonly PersonRole[]>> = {
  rater: ["rater", "operator", "admin"],
  writer: ["writer", "operator", "admin"],
  operator: ["operator", "admin"],
  admin: ["admin"],
};

/** Whether a person's roles let him do what is `role`'s. */
export function may({ roles }: Pick<KnownPerson, "roles">, role: PersonRole): boolean {
  return roles.some((own) => MAY[role].includes(own));
}

/** Who asks, whatever he may do here; throws `unauthenticated`. */
export function anybody(request: FastifyRequest): KnownPerson {
  const { person } = request.signedIn ?? {};
  return person && may(person, "writer") ? person : personOf(request, "rater");
}

/** Who asks; throws `unauthenticated`, or `permission_denied` without the role. */
export function personOf({ signedIn }: FastifyRequest, role: PersonRole): KnownPerson {
  if (!signedIn) {
    throw new StagecraftError("unauthenticated", "nobody is signed in", {
      details: { advice: "open the link that you were sent, or ask for a new one" },
    });
  }
  if (may(signedIn.person, role)) return signedIn.person;
  throw new StagecraftError("permission_denied", `this is for people with the role ${role}`, {
    details: { advice: "ask an operator for the role" },
  });
}

type Handle<T> = (
  person: KnownPerson,
  request: FastifyRequest,
  reply: FastifyReply,
) => T | Promise<T>;

/** Routes for people with a role, by what they answer; their handlers run for nobody else. */
export function routesFor(app: FastifyInstance, role: PersonRole) {
  const route =
    (method: "get" | "post" | "put" | "patch" | "delete") =>
    <T>(path: string, handle: Handle<T>) =>
      void app[method](path, (request, reply) => handle(personOf(request, role), request, reply));
  const [get, post, put] = [route("get"), route("post"), route("put")];
  return { get, post, put, patch: route("patch"), delete: route("delete") };
}
