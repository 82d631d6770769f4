import { expect, it } from "vitest";
import { serveModel, type Serving } from "../../src/serve/serve-model.js";
import { makeBase, openWorkshop } from "./case-kit.js";

it("serve tells its metrics at the port that was asked for, and none without one", async () => {
  await using workshop = await openWorkshop();
  const dir = await makeBase(workshop.path("base"));
  const serve = async (metrics: { metricsPort?: number }, body: (serving: Serving) => unknown) => {
    const stop = new AbortController();
    let onServing = (_: Serving) => {};
    const served = new Promise<Serving>((resolve) => (onServing = resolve));
    const ended = serveModel(
      {
        ...{ dir, name: "m", host: "127.0.0.1", port: 0, apiKeys: [], graceMs: 100 },
        ...{ engine: { engine: "native", threads: 1 }, maxActive: 2, maxQueued: 2 },
        ...{ ...metrics, signal: stop.signal },
      },
      (serving) => onServing(serving),
    );
    await body(await Promise.race([served, ended.then(() => Promise.reject(new Error("ended")))]));
    stop.abort();
    await ended;
  };
  await serve({}, (serving) => expect(serving).not.toHaveProperty("metricsUrl"));
  await serve({ metricsPort: 0 }, async ({ url, metricsUrl }) => {
    const body = JSON.stringify({ model: "m", prompt: "a", max_tokens: 3 });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}/v1/completions`, { method: "POST", headers, body });
    const { usage } = (await answer.json()) as { usage: { completion_tokens: number } };
    const text = await (await fetch(metricsUrl!)).text();
    const tokens = /^stagecraft_policy_tokens_total\{.*"generated".*\} (\d+)$/m.exec(text)?.[1];
    expect(Number(tokens)).toBe(usage.completion_tokens);
  });
});
