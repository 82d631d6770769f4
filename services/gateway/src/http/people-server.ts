import { signInFirstOperator } from "../auth/people.js";
import { createHttpServer, type HttpServer, type HttpServerOptions } from "./server.js";

export interface PeopleServer {
  server: HttpServer;
  port: number;
  origin: string;
  /** Signs the first operator in, once; undefined when somebody who operates has signed in before. */
  signInLink: string | undefined;
}

/** Starts the pages; as long as nobody operates them there is a link for the first one who does. */
export async function openPeopleServer(
  options: HttpServerOptions & { alwaysLink?: boolean },
): Promise<PeopleServer> {
  const server = await createHttpServer(options);
  const { port, origin } = await server.start();
  const { database, now = () => new Date(), alwaysLink = false } = options;
  const isNeeded = alwaysLink || !(await hasOperator(options));
  const token = isNeeded && (await database.transact((tx) => signInFirstOperator(tx, now())));
  return { server, port, origin, signInLink: token ? `${origin}/sign-in#${token}` : undefined };
}

async function hasOperator({ database }: HttpServerOptions): Promise<boolean> {
  const query = database.db
    .selectFrom("people")
    .select("roles")
    .where("last_seen_at", "is not", null);
  const people = await query.where("active", "=", true).execute();
  return people.some(({ roles }) => roles.includes("admin"));
}
