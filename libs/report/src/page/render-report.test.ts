import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { html, raw } from "./html.js";
import { lineChart } from "./line-chart.js";
import type { ReportData } from "./report-data.js";
import { renderReport } from "./render-report.js";

const evil = `</script><script>alert("x")</script> & 'y'`;
const escaped =
  "&lt;/script&gt;&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;";
const series = { run: evil, name: evil, x: [1, 2], y: [0.5, null] };

const full: ReportData = {
  title: evil,
  lead: evil,
  createdAt: "2026-01-02T03:04:05.678Z",
  highlights: [{ label: evil, value: evil, detail: evil, ok: true }],
  verdict: [{ name: evil, text: evil }],
  problems: [evil],
  stages: [{ name: evil, durationMs: 1000, tokensPerSecond: 12_345, work: evil, result: evil }],
  charts: [
    { stage: evil, title: evil, xLabel: evil, isMinor: false, series: [series] },
    { stage: evil, title: "more", xLabel: evil, isMinor: true, series: [series] },
  ],
  rewardModels: [
    {
      name: evil,
      accuracy: 0.86,
      ceiling: 0.88,
      calibration: [{ center: 0.6, accuracy: 0.61, count: 9 }],
    },
  ],
  alarms: [{ run: evil, message: evil, meaning: evil, advice: evil }],
  comparison: {
    models: [evil, "SFT"],
    kinds: [{ kind: evil, count: 2, exact: [0, 1], gold: [0.1, undefined] }],
    overall: { kind: "all", exact: [0, 1] },
  },
  samples: [
    {
      kind: evil,
      prompt: evil,
      reference: evil,
      answers: [{ model: evil, text: evil, exact: false, gold: 0.1, reward: -1 }],
    },
  ],
  configuration: [
    {
      title: evil,
      values: { [evil]: evil, list: [evil], nothing: undefined },
      data: [{ file: evil, sha256: "00", size: evil }],
    },
  ],
};

/** The page without the scripts and styles that it brings along. */
const bodyOf = (page: string) => page.replaceAll(/<(style|script)[\s>][\s\S]*?<\/\1>/g, "");

describe("renderReport()", () => {
  const page = renderReport(full);

  it("escapes every text of the data, in the scripts' data too", () => {
    expect(page).toContain(escaped);
    expect(page.match(/<script[\s>]/g)).toHaveLength(3); // curves, library, ours
    expect(bodyOf(page)).not.toMatch(/<\/?script|alert\("x/);
    const [, json] = /id="chart-data">(.*?)<\/script>/s.exec(page)!;
    expect(JSON.parse(json!)).toEqual(full.charts);
  });

  it("needs nothing from outside, and forbids it", () => {
    expect(bodyOf(page)).not.toMatch(/\b(?:src|href)\s*=|url\(|@import|https?:|\son\w+=/);
    expect(page).toContain(
      'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; script-src &#39;sha256-',
    );
  });

  it("has a policy that lets its own scripts run, as they stand in the page", () => {
    const programs = [...page.matchAll(/<script(?: type="module")?>([\s\S]*?)<\/script>/g)];
    expect(programs).toHaveLength(2);
    for (const [, text] of programs) {
      const hash = createHash("sha256").update(text!).digest("base64");
      expect(page).toContain(`&#39;sha256-${hash}&#39;`);
    }
  });

  it("has balanced elements", () => {
    const tags = ["section", "figure", "svg", "table", "tr", "div", "article", "details", "li"];
    for (const tag of tags) {
      const opened = bodyOf(page).match(new RegExp(`<${tag}[\\s>]`, "g"))?.length ?? 0;
      expect(bodyOf(page).match(new RegExp(`</${tag}>`, "g"))?.length ?? 0, tag).toBe(opened);
    }
  });

  it("writes no NaN, undefined or object into the page", () => {
    expect(bodyOf(page)).not.toMatch(/NaN|undefined|\[object|Infinity/);
  });

  it("says first what came of it, then shows answers, and figures after them", () => {
    const order = ["What came of it", "What they say", "The figures", "Configuration, machine"];
    const places = order.map((heading) => page.indexOf(`<h2>${heading}`));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
  });

  it("shows the alarms with what they mean and what to try", () => {
    const alarm = { run: "ppo", step: 7, message: "KL <0", meaning: "disagree", advice: "compare" };
    const { createdAt } = full;
    const withAlarm = renderReport({ title: "t", createdAt, stages: [], alarms: [alarm] });
    for (const text of [">ppo<", ">7<", "KL &lt;0", "disagree", "compare"]) {
      expect(withAlarm).toContain(text);
    }
  });

  it("says where the values of its table are means", () => {
    const means = { ...series, run: "a", name: "loss", every: 3 };
    const chart = { stage: "sft", title: "Loss", xLabel: "step", isMinor: false, series: [means] };
    const { createdAt } = full;
    const withMeans = renderReport({ title: "t", createdAt, stages: [], charts: [chart] });
    expect(withMeans).toContain("<td>a, loss, means of 3 records</td>");
    expect(bodyOf(page)).not.toContain("means of");
  });

  it("leaves out what has no data, scripts included", () => {
    const bare = renderReport({ title: "t", createdAt: full.createdAt, stages: [] });
    expect(bare).not.toMatch(/<section|<script/);
  });
});

describe("lineChart()", () => {
  const options = { title: "t", xLabel: "x" };

  it("says so when there is nothing to draw", () => {
    for (const points of [[], [{ x: 1, y: NaN }], [{ x: NaN, y: 1 }], [{ x: 1, y: null }]]) {
      expect(lineChart([{ name: "a", points }], options).markup).toContain("no data");
    }
  });

  it("draws a single point as a dot", () => {
    const { markup } = lineChart([{ name: "a", points: [{ x: 5, y: 2 }] }], options);
    expect(markup).toContain("<circle");
    expect(markup).not.toMatch(/NaN|Infinity/);
  });

  it("leaves a gap where a value is missing", () => {
    const points = [1, 2, NaN, 4, 5].map((y, x) => ({ x, y }));
    const { markup } = lineChart([{ name: "a", points }], options);
    expect(/ d="([^"]*)"/.exec(markup)![1]!.match(/M/g)).toHaveLength(2);
    expect(markup).not.toMatch(/NaN/);
  });
});

describe("html", () => {
  it("escapes values, joins lists and keeps safe markup", () => {
    const items = ["<a>", 1, undefined, raw("<br>")];
    expect(html`<p>${items}</p>`.markup).toBe("<p>&lt;a&gt;1<br></p>");
  });
});
