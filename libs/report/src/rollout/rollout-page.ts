import { html, raw, type SafeHtml } from "../page/html.js";
import { lineChart, type Series } from "../page/line-chart.js";
import { STYLE } from "../page/style.js";
import {
  fixed,
  TOKEN_FIGURES,
  totalsOf,
  type RolloutToken,
  type RolloutToShow,
  type TokenFigure,
} from "./rollout-data.js";
import { promptTurns } from "./prompt-turns.js";
import { ROLLOUT_STYLE } from "./rollout-style.js";
import { numberHead, table } from "../page/table.js";

/**
 * A self-contained HTML page of sampled answers, their tokens coloured by a figure of the reader's
 * choice. No script, no external resource, light and dark. Every text of the data is escaped.
 */
export function renderRollouts(
  rollouts: readonly RolloutToShow[],
  { title }: { title: string },
): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${raw(STYLE + ROLLOUT_STYLE)}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          <p class="lead">
            Sampled answers with every token's figures. Choose what colours the tokens; hover over
            one for its numbers.
          </p>
          ${rollouts.map(rolloutSection)}
          <footer>Made by Stagecraft. This file needs no network.</footer>
        </main>
      </body>
    </html>`;
  return `${page.markup.trim()}\n`;
}

function rolloutSection(rollout: RolloutToShow, index: number): SafeHtml {
  return html`<section class="rollout">
    <h2>Answer ${index + 1}</h2>
    <p class="date">${rollout.rolloutId}, update ${rollout.update}</p>
    ${figuresList(rollout)}
    <div class="chat">${turnsOf(rollout.prompt)} ${answerTurn(rollout, index)}</div>
    ${charts(rollout)} ${tokenTable(rollout)}
  </section>`;
}

function figuresList(rollout: RolloutToShow): SafeHtml {
  const { kl, reward, klCoef } = totalsOf(rollout);
  const price = klCoef === undefined ? "" : `β = ${klCoef.toPrecision(2)}`;
  const figures: [label: string, value: string, detail: string][] = [
    ["Score", fixed(rollout.score, 2), "by the reward model"],
    ["KL", fixed(kl, 2), "nats from the reference"],
    ["Score − β·KL", fixed(reward, 2), price],
    ["Tokens", String(rollout.tokens.length), rollout.hasEos ? "ended by itself" : "cut off"],
  ];
  return html`<ul class="highlights">
    ${figures.map(
      ([label, value, detail]) =>
        html`<li><span>${label}</span><b>${value}</b><small>${detail}</small></li>`,
    )}
  </ul>`;
}

/** The turns of a rendered conversation. */
function turnsOf(prompt: string): SafeHtml[] {
  return promptTurns(prompt).map(
    ({ role, text }) =>
      html`<div class="turn ${role ?? "user"}">
        ${role === undefined ? "" : html`<span class="role">${role}</span>`}
        <p>${text}</p>
      </div>`,
  );
}

function answerTurn({ tokens }: RolloutToShow, index: number): SafeHtml {
  const scales = new Map(TOKEN_FIGURES.map(({ figure }) => [figure, scaleOf(tokens, figure)]));
  const name = `colour-${index}`;
  return html`<div class="turn assistant">
    <span class="role">assistant</span>
    ${TOKEN_FIGURES.map(
      ({ figure, label }, i) =>
        html`<input
            type="radio"
            class="by-${figure}"
            name="${name}"
            id="${name}-${figure}"
            ${raw(i === 0 ? "checked" : "")}
          /><label for="${name}-${figure}">${label}</label>`,
    )}
    <p class="tokens">${tokens.map((token, t) => tokenSpan(token, t, scales))}</p>
    ${TOKEN_FIGURES.map(({ figure, meaning }) => legend(figure, scales.get(figure)!, meaning))}
  </div>`;
}

/** Largest magnitude of a figure in an answer: what full colour stands for. */
function scaleOf(tokens: readonly RolloutToken[], figure: TokenFigure): number {
  return Math.max(1e-9, ...tokens.map((token) => Math.abs(token[figure])));
}

function tokenSpan(
  token: RolloutToken,
  t: number,
  scales: ReadonlyMap<TokenFigure, number>,
): SafeHtml {
  const colours = TOKEN_FIGURES.map(
    ({ figure }) => `--${figure}:${tint(token[figure], scales.get(figure)!, figure)}`,
  );
  const numbers = TOKEN_FIGURES.map(({ figure, label }) => `${label} ${fixed(token[figure], 3)}`);
  const special = /^<\|.*\|>$/.test(token.text) ? "special" : "";
  const tip = [`${t + 1}. ${JSON.stringify(token.text)} (${token.id})`, ...numbers].join("\n");
  const text = token.text.replaceAll("\n", "⏎\n");
  return html`<span class="token ${special}" style="${colours.join(";")}" title="${tip}"
    >${text}</span
  >`;
}

/** Positive and negative have a colour each; the share of the largest magnitude is its strength. */
function tint(value: number, scale: number, figure: TokenFigure): string {
  const strength = Math.round(Math.min(1, Math.abs(value) / scale) * 85);
  const colour = figure === "logProb" ? "--ink-heat" : value < 0 ? "--down" : "--up";
  return `color-mix(in srgb, var(${colour}) ${strength}%, transparent)`;
}

function legend(figure: TokenFigure, scale: number, meaning: string): SafeHtml {
  const low = `−${scale.toFixed(2)}`;
  const bar =
    figure === "logProb"
      ? html`<span>0</span><i class="ramp surprise"></i><span>${low}</span>`
      : html`<span>${low}</span><i class="ramp"></i><span>+${scale.toFixed(2)}</span>`;
  return html`<p class="heat-legend of-${figure}"><span class="scale">${bar}</span>${meaning}</p>`;
}

function charts({ tokens }: RolloutToShow): SafeHtml {
  const series = (name: string, colour: number, of: (token: RolloutToken) => number): Series => ({
    name,
    colour,
    dots: tokens.length < 30,
    points: tokens.map((token, t) => ({ x: t + 1, y: of(token) })),
  });
  let kl = 0;
  const summed = tokens.map((token) => (kl += token.kl));
  const xLabel = "token of the answer";
  return html`<div class="charts">
    ${lineChart(
      [
        series("value", 0, (token) => token.value),
        series("advantage", 1, (token) => token.advantage),
      ],
      { title: "What the critic expected", xLabel, guides: [{ y: 0, label: "" }] },
    )}
    ${lineChart(
      [
        series("of the token", 2, (token) => token.kl),
        { ...series("summed", 3, () => 0), points: summed.map((y, t) => ({ x: t + 1, y })) },
      ],
      { title: "KL to the reference", xLabel, guides: [{ y: 0, label: "" }] },
    )}
  </div>`;
}

function tokenTable({ tokens }: RolloutToShow): SafeHtml {
  const columns = ["logProb", "refLogProb", "kl", "value", "reward", "advantage"] as const;
  const heads = ["log π", "log π_ref", "KL", "value", "reward", "advantage"];
  const scale = new Map(
    columns.map((name) => [name, Math.max(1e-9, ...tokens.map((token) => Math.abs(token[name])))]),
  );
  const cell = (token: RolloutToken, name: (typeof columns)[number]) => {
    const heat = name === "kl" || name === "reward" || name === "advantage" || name === "value";
    const style = heat ? `background:${tint(token[name], 2 * scale.get(name)!, name)}` : "";
    return html`<td class="n" style="${style}">${fixed(token[name], 3)}</td>`;
  };
  const rows = tokens.map(
    (token, t) =>
      html`<tr>
        <td class="n">${t + 1}</td>
        <td><code>${token.text.replaceAll("\n", "⏎")}</code></td>
        ${columns.map((name) => cell(token, name))}
      </tr>`,
  );
  return html`<details>
    <summary>Every number</summary>
    ${table([numberHead("#"), "Token", ...heads.map(numberHead)], rows)}
  </details>`;
}
