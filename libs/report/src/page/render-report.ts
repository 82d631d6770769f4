import { createHash } from "node:crypto";
import { alarmsSection } from "./alarms-section.js";
import { chartsSection } from "./charts-section.js";
import { comparisonSection } from "./comparison-section.js";
import { html, raw, type SafeHtml } from "./html.js";
import type { Highlight, ReportData } from "./report-data.js";
import { configurationSection, samplesSection } from "./samples-section.js";
import { chartScripts, chartStyle } from "./scripts.js";
import { STYLE } from "./style.js";
import { rewardSection, stagesSection } from "./training-sections.js";

/**
 * A self-contained HTML page, light and dark: what came out in words and samples first, then figures.
 * Nothing comes from outside, and the page's own policy lets only its two scripts run. Every text of the
 * data is escaped. Parts without data are left out.
 */
export function renderReport(data: ReportData): string {
  const scripts = inlineScripts(data);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${policyFor(scripts)}" />
        <title>${data.title}</title>
        <style>
          ${raw(STYLE + chartStyle())}
        </style>
      </head>
      <body>
        <main>${header(data)}${sections(data)}${footer(data)}</main>
        ${scripts.map(({ element }) => element)}
      </body>
    </html>`;
  return `${page.markup.trim()}\n`;
}

/** What a browser may do with the page: run these scripts, and fetch nothing. */
function policyFor(scripts: readonly InlineScript[]): string {
  const hashes = scripts.flatMap(({ hash }) => (hash === undefined ? [] : [`'sha256-${hash}'`]));
  const allowed = hashes.length === 0 ? "'none'" : hashes.join(" ");
  return `default-src 'none'; style-src 'unsafe-inline'; script-src ${allowed}`;
}

interface InlineScript {
  element: SafeHtml;
  /** Of the element's whole text, as a browser checks it; absent for data, which does not run. */
  hash?: string;
}

function inlineScripts({ charts = [] }: ReportData): InlineScript[] {
  if (charts.length === 0) return [];
  const { library, charts: drawing } = chartScripts();
  const json = JSON.stringify(charts).replaceAll("<", "\\u003c"); // no text of the data ends the script
  const data = raw(`<script type="application/json" id="chart-data">${json}</script>`);
  return [
    { element: data },
    program("<script>", library),
    program(`<script type="module">`, drawing),
  ];
}

function program(start: string, text: string): InlineScript {
  const hash = createHash("sha256").update(text).digest("base64");
  return { element: raw(`${start}${text}</script>`), hash };
}

function header({ title, lead, createdAt, highlights = [], ...data }: ReportData): SafeHtml {
  const { verdict = [], problems = [] } = data;
  return html`<h1>${title}</h1>
    ${lead === undefined ? "" : html`<p class="lead">${lead}</p>`}
    <p class="date">${createdAt.replace("T", " ").replace(/\.\d+Z$/, " UTC")}</p>
    ${
      highlights.length === 0
        ? ""
        : html`<ul class="highlights">
            ${highlights.map(highlight)}
          </ul>`
    }
    ${
      verdict.length === 0
        ? ""
        : html`<section>
            <h2>What came of it</h2>
            <dl class="verdict">
              ${verdict.map(
                ({ name, text }) =>
                  html`<dt>${name}</dt>
                    <dd>${text}</dd>`,
              )}
            </dl>
          </section>`
    }
    ${problems.length === 0 ? "" : problemsSection(problems)}`;
}

function problemsSection(problems: readonly string[]): SafeHtml {
  return html`<section>
    <h2>What is missing here</h2>
    <ul class="problems">
      ${problems.map((problem) => html`<li>${problem}</li>`)}
    </ul>
  </section>`;
}

function highlight({ label, value, detail, ok }: Highlight): SafeHtml {
  const state = ok === undefined ? "" : ok ? "met" : "missed";
  return html`<li class="${state}">
    <span>${label}</span
    ><b>${value}</b>${detail === undefined ? "" : html`<small>${detail}</small>`}
  </li>`;
}

function sections(data: ReportData): SafeHtml {
  const { comparison, samples = [], charts = [], rewardModels = [], stages } = data;
  return html`${comparison === undefined ? "" : comparisonSection(comparison)}
  ${samples.length === 0 ? "" : samplesSection(samples, comparison?.models, data.numAnswered)}
  ${alarmsSection(data.alarms ?? [])} ${charts.length === 0 ? "" : chartsSection(charts)}
  ${rewardModels.map(rewardSection)} ${stages.length === 0 ? "" : stagesSection(stages)}
  ${configurationSection(data.configuration ?? [])}`;
}

function footer({ createdAt }: ReportData): SafeHtml {
  return html`<footer>
    Made by Stagecraft, ${createdAt.slice(0, 10)}. This file needs no network.
  </footer>`;
}
