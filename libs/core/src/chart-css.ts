/** How charts look, in reports and on pages: by the theme's colours. */
export const CHART_CSS = `
.chart-tools { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; margin: 14px 0; font-size: 14.5px; }
.chart-tools label { display: inline-flex; gap: 8px; align-items: center; }
.chart-tools input[type="range"] { width: 130px; padding: 0; accent-color: var(--c0); }
.curve { margin: 0; min-width: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 14px 8px; }
.curve figcaption { display: block; font-weight: 600; font-size: 14.5px; margin-bottom: 6px; }
.curve .plot { height: 230px; border-radius: 4px; }
.curve .plot:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
.curve .keys { display: flex; flex-wrap: wrap; gap: 4px 12px; margin: 6px 0 4px; }
.curve .keys button { font: inherit; font-size: 13px; color: var(--ink); background: none; border: 1px solid transparent;
  border-radius: 5px; padding: 2px 6px; min-height: 26px; cursor: pointer; text-align: start; }
.curve .keys button:hover { background: var(--tint); } .curve .keys button[aria-pressed="false"] { color: var(--soft); text-decoration: line-through; }
.curve .keys .swatch { display: inline-block; width: 16px; height: 3px; vertical-align: middle; margin-inline-end: 6px; background: currentcolor; }
.curve .keys .s0 { color: var(--c0); } .curve .keys .s1 { color: var(--c1); } .curve .keys .s2 { color: var(--c2); }
.curve .keys .s3 { color: var(--c3); } .curve .keys .s4 { color: var(--c4); }
.curve .cut { font-size: 13px; color: var(--soft); margin: 2px 0; }
.curve .u-select { background: color-mix(in srgb, var(--c0) 18%, transparent); }
.curve .u-cursor-x, .curve .u-cursor-y { border-color: var(--soft); }
`;
