/** The report's style sheet: one column, system fonts, light and dark by preference of the reader. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfaf7; --card: #ffffff; --ink: #22262b; --soft: #636b74; --rule: #e2dfd8;
  --c0: #2f6fb7; --c1: #c4662a; --c2: #3b8a62; --c3: #8a5aa8; --c4: #8d949c;
  --good: #2d7a4f; --bad: #b3412f; --tint: #f2efe8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --card: #1e2125; --ink: #e6e4df; --soft: #9aa1a9; --rule: #33373c;
    --c0: #6aa7e8; --c1: #e8935a; --c2: #67be92; --c3: #bd93d8; --c4: #7f868e;
    --good: #6cc394; --bad: #e88674; --tint: #262a2f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 56px 28px 88px; }
h1 { font: 600 34px/1.2 Georgia, "Iowan Old Style", "Times New Roman", serif; margin: 0 0 10px; }
h2 { font: 600 22px/1.3 Georgia, "Iowan Old Style", "Times New Roman", serif; margin: 56px 0 6px; }
h3 { font-size: 15px; margin: 26px 0 8px; }
p { margin: 0 0 12px; max-width: 68ch; }
.lead { font-size: 18px; color: var(--soft); }
.date, .note { color: var(--soft); font-size: 14px; }
.highlights { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 14px;
  margin: 30px 0 0; padding: 0; list-style: none; }
.highlights li { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 16px; }
.highlights b { display: block; font: 600 28px/1.25 Georgia, serif; font-variant-numeric: lining-nums tabular-nums; }
.highlights span { display: block; font-size: 14px; }
.highlights small { color: var(--soft); font-size: 13px; }
.highlights .met b { color: var(--good); } .highlights .missed b { color: var(--bad); }
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
.scroll { overflow-x: auto; margin-top: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th.n, td.n { text-align: right; white-space: nowrap; } tr.total td { font-weight: 600; border-bottom: 0; }
tr.total td { border-top: 2px solid var(--rule); }
td.best { color: var(--good); font-weight: 600; }
.samples { display: grid; gap: 16px; margin-top: 14px; }
.sample { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 18px 16px; }
.sample .kind { font-size: 13px; color: var(--soft); }
.sample .request { font-weight: 600; margin: 2px 0 12px; max-width: none; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 12px; }
.answer { background: var(--tint); border-radius: 6px; padding: 9px 12px 10px; border-left: 3px solid var(--series); }
.answer header { display: flex; justify-content: space-between; gap: 10px; font-size: 13px; color: var(--soft); }
.answer p { margin: 4px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.answer .right { color: var(--good); } .answer .wrong { color: var(--bad); }
.answer .none { color: var(--soft); font-style: italic; }
details { border-top: 1px solid var(--rule); padding: 10px 0; }
summary { cursor: pointer; font-weight: 600; font-size: 15px; }
td code { font: 13px ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
footer { margin-top: 64px; color: var(--soft); font-size: 13.5px; }
@media print { .chart, .sample, .highlights li { break-inside: avoid; } }
`;
