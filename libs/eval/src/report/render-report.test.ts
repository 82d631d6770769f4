import { describe, expect, it } from "vitest";
import { html, raw } from "./html.js";
import { lineChart } from "./line-chart.js";
import type { ReportData } from "./report-data.js";
import { renderReport } from "./render-report.js";

const evil = `<script>alert("x")</script> & 'y'`;
const escaped = "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;";

const full: ReportData = {
  title: evil,
  lead: evil,
  createdAt: "2026-01-02T03:04:05.678Z",
  highlights: [{ label: evil, value: evil, detail: evil, ok: true }],
  stages: [{ name: evil, durationMs: 1000, tokensPerSecond: 12_345, work: evil, result: evil }],
  lossCurves: [{ stage: evil, train: [{ x: 1, y: 2 }], validation: [{ x: 1, y: NaN }] }],
  rewardModel: {
    accuracy: 0.86,
    ceiling: 0.88,
    calibration: [{ center: 0.6, accuracy: 0.61, count: 9 }],
    accuracyCurve: [{ x: 1, y: 0.7 }],
  },
  ppo: Array.from({ length: 20 }, (_, step) => ({ step, reward: step, gold: step % 5 ? null : 1 })),
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
  configuration: [{ title: evil, values: { [evil]: evil, list: [evil], nothing: undefined } }],
};

describe("renderReport()", () => {
  const page = renderReport(full);

  it("escapes every text of the data", () => {
    expect(page).toContain(escaped);
    expect(page).not.toContain("<script");
  });

  it("needs nothing from outside", () => {
    expect(page).not.toMatch(/\b(?:src|href)\s*=|url\(|@import|https?:/);
  });

  it("has balanced elements", () => {
    for (const tag of [
      "section",
      "figure",
      "svg",
      "table",
      "tr",
      "div",
      "article",
      "details",
      "li",
    ]) {
      const opened = page.match(new RegExp(`<${tag}[\\s>]`, "g"))?.length ?? 0;
      const closed = page.match(new RegExp(`</${tag}>`, "g"))?.length ?? 0;
      expect(closed, tag).toBe(opened);
    }
  });

  it("writes no NaN, undefined or object into the page", () => {
    const text = page.replace(/<style>[\s\S]*<\/style>/, "");
    expect(text).not.toMatch(/NaN|undefined|\[object|Infinity/);
  });

  it("shows the alarms with what they mean and what to try", () => {
    const alarm = { step: 7, message: "KL <0", meaning: "they disagree", advice: "compare" };
    const withAlarm = renderReport({
      title: "t",
      createdAt: "2026-01-02T03:04:05Z",
      stages: [],
      alarms: [alarm],
    });
    for (const text of [">7<", "KL &lt;0", "they disagree", "compare"]) {
      expect(withAlarm).toContain(text);
    }
  });

  it("leaves out what there is no data for", () => {
    const bare = renderReport({ title: "t", createdAt: "2026-01-02T03:04:05Z", stages: [] });
    expect(bare).not.toContain("<section");
    expect(bare).toContain("<h1>t</h1>");
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
