/**
 * The look that every page and report shares, as CSS: paper or night, serif headings, quiet tiles. Reports
 * hold it inside themselves; the gateway's pages are built with it. Colours are named by what they are
 * for; each text colour has a contrast of 4.5 or more on `--page`, `--card` and `--tint`.
 */
export const THEME_CSS = `
:root {
  color-scheme: light dark;
  --page: #fbfaf7; --card: #ffffff; --ink: #22262b; --soft: #5d656e; --rule: #e2dfd8;
  --c0: #2f6fb7; --c1: #c4662a; --c2: #3b8a62; --c3: #8a5aa8; --c4: #8d949c;
  --good: #2d7a4f; --bad: #b3412f; --tint: #f2efe8;
  --serif: Georgia, "Iowan Old Style", "Times New Roman", serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --card: #1e2125; --ink: #e6e4df; --soft: #9aa1a9; --rule: #33373c;
    --c0: #6aa7e8; --c1: #e8935a; --c2: #67be92; --c3: #bd93d8; --c4: #7f868e;
    --good: #6cc394; --bad: #e88674; --tint: #262a2f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 var(--sans); }
h1 { font: 600 34px/1.2 var(--serif); margin: 0 0 10px; }
h2 { font: 600 22px/1.3 var(--serif); margin: 56px 0 6px; }
h3 { font-size: 15px; margin: 26px 0 8px; }
p { margin: 0 0 12px; max-width: 68ch; }
.lead { font-size: 18px; color: var(--soft); }
.date, .note { color: var(--soft); font-size: 14px; }
.highlights { display: grid; grid-template-columns: repeat(auto-fit, minmax(145px, 1fr)); gap: 14px;
  margin: 30px 0 0; padding: 0; list-style: none; }
.highlights li { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 16px; }
.highlights b { display: block; font: 600 28px/1.25 var(--serif); font-variant-numeric: lining-nums tabular-nums; }
.highlights span { display: block; font-size: 14px; }
.highlights small { color: var(--soft); font-size: 13px; }
.highlights .met b { color: var(--good); } .highlights .missed b { color: var(--bad); }
.scroll { overflow-x: auto; margin-top: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { text-align: start; font-weight: 600; color: var(--soft); font-size: 13px; }
th, td { padding: 7px 0; padding-inline-end: 14px; border-bottom: 1px solid var(--rule); vertical-align: top; }
th.n, td.n { text-align: end; white-space: nowrap; }
details { border-top: 1px solid var(--rule); padding: 10px 0; }
summary { cursor: pointer; font-weight: 600; font-size: 15px; }
footer { margin-top: 64px; color: var(--soft); font-size: 13.5px; }
`;
