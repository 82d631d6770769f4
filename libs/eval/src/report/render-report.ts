import { alarmsSection } from "./alarms-section.js";
import { comparisonSection } from "./comparison-section.js";
import { html, raw, type SafeHtml } from "./html.js";
import type { Highlight, ReportData } from "./report-data.js";
import { configurationSection, samplesSection } from "./samples-section.js";
import { STYLE } from "./style.js";
import { lossSection, ppoSection, rewardSection, stagesSection } from "./training-sections.js";

/**
 * A self-contained HTML page: no script, no external resource, light and dark. Every text of the
 * data is escaped. Parts without data are left out.
 */
export function renderReport(data: ReportData): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${data.title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>${header(data)}${sections(data)}${footer(data)}</main>
      </body>
    </html>`;
  return `${page.markup.trim()}\n`;
}

function header({ title, lead, createdAt, highlights = [] }: ReportData): SafeHtml {
  return html`<h1>${title}</h1>
    ${lead === undefined ? "" : html`<p class="lead">${lead}</p>`}
    <p class="date">${createdAt.replace("T", " ").replace(/\.\d+Z$/, " UTC")}</p>
    ${
      highlights.length === 0
        ? ""
        : html`<ul class="highlights">
            ${highlights.map(highlight)}
          </ul>`
    }`;
}

function highlight({ label, value, detail, ok }: Highlight): SafeHtml {
  const state = ok === undefined ? "" : ok ? "met" : "missed";
  return html`<li class="${state}">
    <span>${label}</span
    ><b>${value}</b>${detail === undefined ? "" : html`<small>${detail}</small>`}
  </li>`;
}

function sections(data: ReportData): SafeHtml {
  const { comparison, samples = [], lossCurves = [], rewardModel, ppo = [], stages } = data;
  return html`${comparison === undefined ? "" : comparisonSection(comparison)}
  ${samples.length === 0 ? "" : samplesSection(samples, comparison?.models)}
  ${stages.length === 0 ? "" : stagesSection(stages)}
  ${lossCurves.length === 0 ? "" : lossSection(lossCurves)}
  ${rewardModel === undefined ? "" : rewardSection(rewardModel)}
  ${ppo.length === 0 ? "" : ppoSection(ppo)} ${alarmsSection(data.alarms ?? [])}
  ${configurationSection(data.configuration ?? [])}`;
}

function footer({ createdAt }: ReportData): SafeHtml {
  return html`<footer>
    Made by Stagecraft, ${createdAt.slice(0, 10)}. This file needs no network.
  </footer>`;
}
