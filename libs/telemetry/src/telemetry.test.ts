import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  context as contextApi,
  ROOT_CONTEXT,
  trace,
  type Context,
  type Span,
  type SpanOptions as OtelSpanOptions,
} from "@opentelemetry/api";
import { afterEach, describe, expect, it } from "vitest";
import {
  contextFromHeaders,
  createLogger,
  createMetrics,
  describeMetrics,
  formatTraceparent,
  headersFromContext,
  METRICS,
  metricsDocument,
  parseTraceparent,
  recordSpans,
  serveMetrics,
  startSpan,
  startTraceExport,
  withSpan,
} from "./index.js";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID = "b7ad6b7169203331";
const HEADER = `00-${TRACE_ID}-${SPAN_ID}-01`;

describe("createLogger()", () => {
  const capture = (options: Partial<Parameters<typeof createLogger>[0]> = {}) => {
    const lines: string[] = [];
    const destination = { write: (line: string) => lines.push(line) };
    return { lines, logger: createLogger({ service: "policy", destination, ...options }) };
  };

  it("writes JSON lines with service, level, time, ids and errors with causes", () => {
    const { lines, logger } = capture({ bindings: { runId: "r1" } });
    const err = new Error("outer", { cause: new Error("inner") });
    logger.child({ rolloutId: "a" }).warn({ err }, "late");
    const record = JSON.parse(lines[0]!) as Record<string, unknown>;
    expect(record).toMatchObject({
      service: "policy",
      level: "warn",
      runId: "r1",
      rolloutId: "a",
      msg: "late",
    });
    expect(Date.parse(record["time"] as string)).toBeGreaterThan(0);
    expect(JSON.stringify(record["err"])).toContain("inner");
  });

  it("never writes secrets, nor below its level", () => {
    const { lines, logger } = capture();
    logger.info({ token: "hunter2", config: { password: "hunter2", authorization: "hunter2" } });
    logger.debug("quiet");
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain("hunter2");
    const silent = capture({ level: "silent" });
    silent.logger.fatal("no");
    expect(silent.lines).toEqual([]);
  });

  it("writes one readable line for a terminal", () => {
    const { lines, logger } = capture({ pretty: true });
    logger.info({ port: 5001, mode: "dev" }, "listening");
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d info {2}policy: listening port=5001 mode=dev\n$/);
  });
});

describe("METRICS", () => {
  const root = new URL("../../../", import.meta.url);

  it("are listed in docs/metrics.md as they are", async () => {
    const text = await readFile(new URL("docs/metrics.md", root), "utf8");
    expect(text, "out of date: npm run docs:metrics").toBe(metricsDocument());
  });

  it("are all used by somebody", async () => {
    const used = new Set<string>();
    for (const folder of ["libs", "services"]) {
      for (const name of await readdir(new URL(folder, root), { recursive: true })) {
        const isSource = /^[^/]+\/src\/.*(?<!\.test)\.ts$/.test(name);
        if (!isSource) continue;
        const text = await readFile(new URL(`${folder}/${name}`, root), "utf8");
        for (const [, key] of text.matchAll(/METRICS\.(\w+)/g)) used.add(key!);
      }
    }
    expect(Object.keys(METRICS).filter((key) => !used.has(key))).toEqual([]);
  });

  it("are named by Prometheus' rules: prefix, base units, _total on counters only", () => {
    const names = Object.values(METRICS).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, kind, unit, doc } of Object.values(METRICS)) {
      // process_… are the names that every Prometheus client uses for these figures.
      expect(name).toMatch(/^(stagecraft|process)_[a-z_]+$/);
      expect(name.endsWith("_total"), name).toBe(kind === "counter");
      if (unit === "seconds") expect(name, name).toMatch(/_seconds(_total)?$/);
      if (unit === "bytes") expect(name, name).toMatch(/_bytes(_total)?$/);
      expect(doc, name).toMatch(/\.$/);
    }
    expect(describeMetrics().split("\n")).toHaveLength(names.length + 2);
  });
});

describe("createMetrics()", () => {
  it("counts, gauges and observes with labels, and serves them over HTTP", async () => {
    const metrics = createMetrics({ service: "reward" });
    metrics.counter(METRICS.rewardItems).add({ model: "rm" }, 3);
    metrics.counter(METRICS.rewardItems).add({ model: "rm" });
    metrics.gauge(METRICS.policyActiveSequences).set({}, 7);
    metrics.histogram(METRICS.rewardBatchSize).observe({}, 5);
    await using server = await serveMetrics(metrics);
    const url = `http://127.0.0.1:${server.port}`;
    const response = await fetch(`${url}/metrics`);
    const text = await response.text();
    expect(response.headers.get("content-type")).toContain("text/plain");
    expect(text).toContain('stagecraft_reward_items_total{model="rm",service="reward"} 4');
    expect(text).toContain('stagecraft_policy_active_sequences{service="reward"} 7');
    expect(text).toContain('stagecraft_reward_batch_items_bucket{le="8",service="reward"} 1');
    expect(text).toContain("stagecraft_event_loop_lag_seconds");
    const resident = /process_resident_memory_bytes\{service="reward"\} (\d+)/.exec(text);
    expect(Number(resident?.[1])).toBeGreaterThan(10e6);
    const heap = (name: string) =>
      Number(
        new RegExp(`process_heap_${name}_bytes\\{thread="main",service="reward"\\} (\\d+)`).exec(
          text,
        )?.[1],
      );
    expect(heap("live")).toBeGreaterThan(1e6);
    expect(heap("live")).toBeLessThanOrEqual(heap("size"));
    const cpu = /process_cpu_seconds_total\{service="reward"\} ([\d.]+)/.exec(text);
    expect(Number(cpu?.[1])).toBeGreaterThan(0);
    expect((await fetch(`${url}/other`)).status).toBe(404);
    const taken = serveMetrics(metrics, { port: server.port });
    await expect(taken).rejects.toMatchObject({ code: "already_exists" });
  });

  it("looks figures up when it is scraped, and survives a look-up that fails", async () => {
    const metrics = createMetrics({ service: "trainer" });
    let pending = 3;
    const stop = metrics.onScrape(() => {
      metrics.gauge(METRICS.busPending).set({ kind: "prompts" }, pending);
    });
    metrics.onScrape(() => Promise.reject(new Error("the bus is away")));
    const line = (value: number) =>
      `stagecraft_bus_pending_messages{kind="prompts",service="trainer"} ${value}`;
    expect(await metrics.text()).toContain(line(3));
    pending = 4;
    expect(await metrics.text()).toContain(line(4));
    stop();
    pending = 5;
    expect(await metrics.text()).toContain(line(4));
  });

  it("keeps the services of one process apart", async () => {
    const [a, b] = [createMetrics({ service: "a" }), createMetrics({ service: "b" })];
    a.counter(METRICS.rolloutsFinished).add({ outcome: "published" });
    expect(await b.text()).not.toContain("outcome");
  });
});

describe("traceparent", () => {
  it("is read and written as W3C says", () => {
    const span = parseTraceparent({ traceparent: HEADER, tracestate: "a=1" })!;
    expect(span).toMatchObject({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 });
    expect(formatTraceparent(span)).toBe(HEADER);
    expect(headersFromContext(trace.setSpanContext(ROOT_CONTEXT, span))).toEqual({
      traceparent: HEADER,
      tracestate: "a=1",
    });
    expect(parseTraceparent({ traceparent: `01-${TRACE_ID}-${SPAN_ID}-01-new` })).toBeDefined();
  });
  for (const bad of [
    undefined,
    "",
    "00",
    HEADER.toUpperCase(),
    `ff-${TRACE_ID}-${SPAN_ID}-01`,
    `${HEADER}-more`,
    `00-${"0".repeat(32)}-${SPAN_ID}-01`,
    `00-${TRACE_ID}-${"0".repeat(16)}-01`,
  ]) {
    it(`starts anew for ${bad}`, () => {
      expect(
        parseTraceparent({ ...(bad === undefined ? {} : { traceparent: bad }) }),
      ).toBeUndefined();
    });
  }
});

describe("withSpan()", () => {
  afterEach(() => trace.disable());

  it("keeps the trace id from caller to callee with no SDK installed", async () => {
    const parent = contextFromHeaders({ traceparent: HEADER });
    await withSpan("outer", { parent }, ({ context, headers }) => {
      expect(headers().traceparent).toContain(TRACE_ID);
      return withSpan("inner", { parent: context }, async (inner) => {
        await Promise.resolve();
        expect(inner.headers().traceparent).toContain(TRACE_ID);
      });
    });
  });

  it("starts a valid trace of its own at a root", async () => {
    const ids = await Promise.all(
      [1, 2].map(() => withSpan("root", {}, ({ headers }) => Promise.resolve(headers()))),
    );
    for (const headers of ids) expect(parseTraceparent(headers)).toBeDefined();
    expect(ids[0]).not.toEqual(ids[1]);
  });

  it("gives an SDK kind, parent, links, attributes, failure and end", async () => {
    const seen: { name: string; options: OtelSpanOptions; parent: Context }[] = [];
    const calls: string[] = [];
    const span = {
      spanContext: () => parseTraceparent({ traceparent: HEADER })!,
      setStatus: ({ message }: { message?: string }) => calls.push(`status ${message}`),
      end: () => calls.push("end"),
    } as unknown as Span;
    trace.setGlobalTracerProvider({
      getTracer: () => ({
        startSpan: (
          name: string,
          options: OtelSpanOptions = {},
          parent: Context = ROOT_CONTEXT,
        ) => {
          seen.push({ name, options, parent });
          return span;
        },
        startActiveSpan: () => {
          throw new Error("not used");
        },
      }),
    });
    const links = [{ traceparent: HEADER }, { traceparent: "broken" }];
    const failed = withSpan("step", { kind: "consumer", links, attributes: { step: 3 } }, () =>
      Promise.reject(new Error("NaN")),
    );
    await expect(failed).rejects.toThrow("NaN");
    expect(seen[0]).toMatchObject({ name: "step", options: { kind: 4, attributes: { step: 3 } } });
    expect(seen[0]!.options.links).toHaveLength(1);
    expect(seen[0]!.parent).toBe(contextApi.active());
    expect(calls).toEqual(["status Error: NaN", "end"]);
  });
});

describe("startTraceExport()", () => {
  it("sends spans with names, parents and the service to a collector, at the latest when closed", async () => {
    const bodies: string[] = [];
    const collector = createServer((request, response) => {
      request.setEncoding("utf8");
      let body = "";
      request.on("data", (chunk: string) => (body += chunk));
      request.on("end", () => {
        bodies.push(`${request.url} ${body}`);
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
    const { port } = collector.address() as AddressInfo;
    try {
      const exporting = startTraceExport({
        service: "rollout",
        endpoint: `http://127.0.0.1:${port}`,
      });
      const parent = contextFromHeaders({ traceparent: HEADER });
      await withSpan("rollout", { parent, attributes: { "task.id": "t1" } }, () =>
        Promise.resolve(),
      );
      await exporting.close();
    } finally {
      collector.close();
    }
    expect(bodies).toHaveLength(1);
    expect(bodies[0]).toMatch(/^\/v1\/traces /);
    for (const part of ['"rollout"', TRACE_ID, SPAN_ID, "task.id", "service.name"]) {
      expect(bodies[0]).toContain(part);
    }
  });

  it("ends in time when nobody listens, and records nothing without an endpoint", async () => {
    await using _ = startTraceExport({ service: "x", endpoint: "" });
    expect(startSpan("x").span.isRecording()).toBe(false);
    const exporting = startTraceExport({ service: "x", endpoint: "http://127.0.0.1:9" });
    const open = startSpan("x");
    expect(open.span.isRecording()).toBe(true);
    open.end();
    await exporting.close();
    expect(startSpan("x").span.isRecording()).toBe(false);
  });

  it("refuses what is no address", () => {
    const start = () => startTraceExport({ service: "x", endpoint: "collector:4318" });
    expect(start).toThrow("is not an http(s) URL");
  });
});

describe("recordSpans()", () => {
  it("keeps parents and links, and hands the process back", async () => {
    {
      await using recorded = recordSpans();
      const outer = startSpan("outer");
      const inner = startSpan("inner", { parent: outer.context, links: [{ traceparent: HEADER }] });
      inner.end(new Error("late"));
      inner.end();
      outer.end();
      const [first, second] = recorded.spans();
      expect(first).toMatchObject({ name: "inner", links: [SPAN_ID] });
      expect(first!.parentSpanId).toBe(second!.spanId);
      expect(first!.traceId).toBe(second!.traceId);
      expect(recorded.spans()).toHaveLength(2);
    }
    expect(startSpan("x").span.isRecording()).toBe(false);
  });
});
