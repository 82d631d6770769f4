import { colourOfModel } from "./comparison-section.js";
import { html, type SafeHtml } from "./html.js";
import type { ConfigurationTable, SampleAnswer, SampleRow } from "./report-data.js";
import { numberHead, table } from "./table.js";

/** The answers of every model to the same prompts, side by side. */
export function samplesSection(
  samples: readonly SampleRow[],
  models: readonly string[] | undefined,
  numAnswered = samples.length,
): SafeHtml {
  const cards = samples.map(
    ({ kind, prompt, reference, answers }) =>
      html`<article class="sample">
        <div class="kind">
          ${kind}${reference === undefined ? "" : html` · ideal: ${reference}`}
        </div>
        <p class="prompt">${prompt}</p>
        <div class="answers">
          ${answers.map((answer) => answerCard(answer, colourOfModel(models, answer.model)))}
        </div>
      </article>`,
  );
  return html`<section>
    <h2>What they say</h2>
    ${
      numAnswered > samples.length
        ? html`<p class="none">
            ${samples.length} of ${numAnswered} prompts; the first of each kind.
          </p>`
        : ""
    }
    <div class="samples">${cards}</div>
  </section>`;
}

function answerCard(answer: SampleAnswer, colour: number): SafeHtml {
  const verdicts = [
    answer.exact === undefined ? undefined : answer.exact ? "right" : "wrong",
    answer.gold === undefined ? undefined : `gold ${answer.gold.toFixed(2)}`,
    answer.reward === undefined ? undefined : `reward ${answer.reward.toFixed(2)}`,
  ].filter((verdict) => verdict !== undefined);
  const mark = answer.exact === undefined ? "" : answer.exact ? "right" : "wrong";
  const text =
    answer.text.trim() === "" ? html`<p class="none">(nothing)</p>` : html`<p>${answer.text}</p>`;
  return html`<div class="answer c${colour}">
    <header><b>${answer.model}</b><span class="${mark}">${verdicts.join(" · ")}</span></header>
    ${text}
  </div>`;
}

/** What was set, stage by stage, folded away. */
export function configurationSection(tables: readonly ConfigurationTable[]): SafeHtml {
  if (tables.length === 0) return html``;
  const details = tables.map(({ title, values, data = [] }) => {
    const rows = Object.entries(values).map(
      ([name, value]) =>
        html`<tr>
          <td>${name}</td>
          <td><code>${show(value)}</code></td>
        </tr>`,
    );
    return html`<details>
      <summary>${title}</summary>
      <div class="scroll">
        <table>
          <tbody>
            ${rows}
          </tbody>
        </table>
      </div>
      ${data.length === 0 ? "" : dataTable(data)}
    </details>`;
  });
  return html`<section>
    <h2>Configuration, machine and data</h2>
    ${details}
  </section>`;
}

function show(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "not set");
}

function dataTable(data: NonNullable<ConfigurationTable["data"]>): SafeHtml {
  const rows = data.map(
    ({ file, sha256, size }) =>
      html`<tr>
        <td class="path">${file}</td>
        <td class="n">${size}</td>
        <td><code>${sha256}</code></td>
      </tr>`,
  );
  return table(["Read", numberHead("Size"), "SHA-256"], rows);
}
