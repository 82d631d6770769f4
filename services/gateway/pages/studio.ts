import type { Browser } from "playwright-core";
import { openPage, SCREENS } from "./browser.js";
import { fakeOperating } from "./fake-operator.js";
import { fakeRegistry } from "./fake-registry.js";
import { assignment, fakeRanking, SESSION } from "./fake-rank.js";
import { startFakeServer } from "./fake-server.js";
import { fakeRuns } from "./fake-runs.js";
import { fakeWriting } from "./fake-write.js";

/** Every page, and a word that it shows once its data has come. */
export const PAGES = [
  ["/", "Hello"],
  ["/rank", "Which answer is best?"],
  ["/write", "Give me a request"],
  ["/break", "What would you ask it?"],
  ["/chat", "Nothing said yet"],
  ["/people", "Krippendorff"],
  ["/models", "version 3 is in use"],
  ["/runs#one,two", "Entropy, nats per token"],
  ["/operator", "Versions that answer now"],
] as const;

/** All pages in front of a fake server with something in everything. */
export async function openStudio(
  browser: Browser,
  path: string,
  options: Parameters<typeof openPage>[2] = SCREENS.desk,
) {
  const ranking = fakeRanking([1, 2, 3].map((id) => assignment(id, 5)));
  const [writing, operating, registry] = [fakeWriting(), fakeOperating(), fakeRegistry()];
  const runs = fakeRuns();
  const others = { ...registry.routes, ...runs.routes };
  const routes = { ...ranking.routes, ...writing.routes, ...operating.routes, ...others };
  const session = { "GET /session": () => SESSION, "DELETE /session": () => ({ ok: true }) };
  const server = await startFakeServer({ ...session, ...routes });
  const page = await openPage(browser, `${server.url}${path}`, options);
  const close = async () => {
    await page.context().close();
    await server.close();
  };
  return { page, ranking, writing, operating, registry, runs, [Symbol.asyncDispose]: close };
}
