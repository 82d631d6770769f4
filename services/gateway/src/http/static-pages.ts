import { existsSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import { StagecraftError } from "@stagecraft/core";
import type { FastifyInstance } from "fastify";

/**
 * The built pages: files with a hash in their name for a year, everything else anew each time. Paths that
 * are no file get index.html, whose router knows them.
 */
export async function staticPages(app: FastifyInstance, dir: string): Promise<void> {
  if (!existsSync(join(dir, "index.html"))) {
    app.log.warn({ dir }, "the pages are not built; run npm run setup");
    app.setNotFoundHandler(() => {
      throw new StagecraftError("not_found", "the pages are not built here; run npm run setup");
    });
    return;
  }
  await app.register(fastifyStatic, {
    root: dir,
    cacheControl: false,
    setHeaders: (reply, path) => {
      const isHashed = path.includes(`${dir}/assets/`);
      reply.setHeader(
        "cache-control",
        isHashed ? "public, max-age=31536000, immutable" : "no-cache",
      );
    },
  });
  app.setNotFoundHandler((request, reply) => {
    const isPage = request.method === "GET" && !/^\/api\/|\.[a-z0-9]+$/.test(request.url);
    if (isPage) return reply.sendFile("index.html");
    throw new StagecraftError("not_found", `there is nothing at ${request.url.slice(0, 200)}`);
  });
}
