import { THEME_CSS } from "@stagecraft/core";

/** The report's style sheet: the shared theme, one column, charts, tables of figures and samples. */
export const STYLE = `${THEME_CSS}
main { max-width: 1060px; margin: 0 auto; padding: 56px 28px 88px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 18px; margin-top: 14px; }
.chart { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 16px 8px; }
.chart svg { display: block; width: 100%; height: auto; font: 11.5px system-ui, sans-serif; }
figcaption { font-weight: 600; font-size: 14.5px; margin-bottom: 8px; display: flex; flex-wrap: wrap;
  gap: 4px 16px; justify-content: space-between; }
.legend { display: flex; gap: 14px; font-weight: 400; font-size: 13px; color: var(--soft); }
.key::before { content: ""; display: inline-block; width: 18px; border-top: 3px solid var(--series);
  vertical-align: middle; margin-right: 6px; }
.key.dashed::before { border-top-style: dashed; border-top-width: 2px; }
.c0 { --series: var(--c0); } .c1 { --series: var(--c1); } .c2 { --series: var(--c2); }
.c3 { --series: var(--c3); } .c4 { --series: var(--c4); }
.line { fill: none; stroke: var(--series); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.faint { stroke-width: 1; opacity: 0.55; } .line.dashed { stroke-dasharray: 5 4; }
.dot { fill: var(--series); } .bar { fill: var(--series); }
.grid { stroke: var(--rule); stroke-width: 1; } .axis { stroke: var(--soft); stroke-width: 1; }
.guide { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 4; }
.tick, .label, .guide-label, .empty, .bar-label, .bar-value { fill: var(--soft); text-anchor: middle; }
.tick.end, .guide-label, .bar-label { text-anchor: end; } .bar-value { text-anchor: start; font-size: 10.5px; }
.bar-label { fill: var(--ink); font-size: 12.5px; } .empty { font-size: 14px; }
tr.total td { font-weight: 600; border-bottom: 0; }
tr.total td { border-top: 2px solid var(--rule); }
td.best { color: var(--good); font-weight: 600; }
.samples { display: grid; gap: 16px; margin-top: 14px; }
.sample { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 18px 16px; }
.sample .kind { font-size: 13px; color: var(--soft); }
.sample .prompt { font-weight: 600; margin: 2px 0 12px; max-width: none; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 12px; }
.answer { background: var(--tint); border-radius: 6px; padding: 9px 12px 10px; border-left: 3px solid var(--series); }
.answer header { display: flex; justify-content: space-between; gap: 10px; font-size: 13px; color: var(--soft); }
.answer p { margin: 4px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.answer .right { color: var(--good); } .answer .wrong { color: var(--bad); }
.answer .none { color: var(--soft); font-style: italic; }
.verdict { margin: 10px 0 0; display: grid; grid-template-columns: max-content 1fr; gap: 6px 18px; }
.verdict dt { font-weight: 600; overflow-wrap: anywhere; } .verdict dd { margin: 0; max-width: 78ch; }
.problems { border-left: 4px solid var(--bad); padding-left: 30px; }
td.path { overflow-wrap: anywhere; min-width: 160px; }
@media (max-width: 560px) { main { padding: 28px 16px 60px; } .verdict { grid-template-columns: 1fr; gap: 0; }
  .verdict dd { margin-bottom: 10px; } h1 { font-size: 26px; } h2 { margin-top: 40px; } }
td code { font: 13px ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
@media print { .chart, .sample, .highlights li { break-inside: avoid; } }
`;
