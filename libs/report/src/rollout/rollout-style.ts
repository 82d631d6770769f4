import { TOKEN_FIGURES } from "./rollout-data.js";

/** One figure's radio button shows its colours and its legend. */
const CHOICES = TOKEN_FIGURES.map(
  ({ figure }) => `.by-${figure}:checked ~ .tokens .token { background: var(--${figure}); }
.by-${figure}:checked ~ .of-${figure} { display: block; }`,
).join("\n");

/** Added to the report's style sheet on pages of rollouts. */
export const ROLLOUT_STYLE = `
:root { --up: #3d8bd4; --down: #e08a3c; --ink-heat: #8a5aa8; }
@media (prefers-color-scheme: dark) { :root { --up: #3f86c9; --down: #c8702a; --ink-heat: #9a6bbd; } }
.rollout { border-top: 1px solid var(--rule); margin-top: 48px; }
.rollout h2 { margin-top: 28px; }
.rollout .highlights { margin-top: 18px; }
.chat { display: grid; gap: 12px; margin: 24px 0 18px; }
.turn { border: 1px solid var(--rule); border-radius: 10px; padding: 12px 18px 14px; background: var(--card); }
.turn.user, .turn.system { justify-self: start; max-width: 46em; background: var(--tint); }
.turn p { margin: 2px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; max-width: none; }
.turn .role { display: block; font-size: 12.5px; color: var(--soft); margin-bottom: 4px; }
.turn input { position: absolute; opacity: 0; }
.turn label { display: inline-block; font-size: 13.5px; padding: 3px 12px; margin: 2px 4px 2px 0; cursor: pointer;
  border: 1px solid var(--rule); border-radius: 999px; color: var(--soft); }
.turn input:checked + label { background: var(--ink); border-color: var(--ink); color: var(--page); }
.turn input:focus-visible + label { outline: 2px solid var(--up); outline-offset: 2px; }
.turn .tokens { font-size: 20px; line-height: 1.95; margin: 14px 0 12px; }
.token { border-radius: 4px; padding: 4px 1px; box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--rule) 70%, transparent); }
.token.special { font: 12px ui-monospace, "SF Mono", Menlo, Consolas, monospace; padding: 6px 5px; margin-left: 3px; }
.token:hover { outline: 2px solid var(--ink); }
.turn .heat-legend { display: none; font-size: 13.5px; color: var(--soft); white-space: normal; }
.scale { float: right; display: inline-flex; align-items: center; gap: 8px; margin-left: 24px; font-variant-numeric: tabular-nums; }
.ramp { width: 130px; height: 10px; border-radius: 5px; border: 1px solid var(--rule);
  background: linear-gradient(to right, var(--down), transparent, var(--up)); }
.ramp.surprise { background: linear-gradient(to right, transparent, var(--ink-heat)); }
.rollout details { margin-top: 18px; }
.rollout td.n { padding-left: 14px; }
@media (max-width: 640px) { .scale { float: none; margin: 0 0 6px; display: flex; } }
${CHOICES}
`;
