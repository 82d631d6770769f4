const COLUMNS = [
  { title: "name", width: 30, text: ({ name }) => name },
  { title: "ours", width: 9, right: true, text: ({ ours }) => show(ours) },
  { title: "peer", width: 9, right: true, text: ({ peer }) => show(peer) },
  { title: "ratio", width: 8, right: true, text: ({ ratio }) => show(ratio) },
  { title: "target", width: 8, right: true, text: targetOf },
  { title: "", width: 6, text: verdictOf },
  { title: "unit", width: 16, text: ({ unit = "" }) => unit },
  { title: "", width: 0, text: sharesOf },
];

/** The heading of the table. */
export const tableHead = () => line(COLUMNS.map(({ title }) => title));

/** One row of it; one that failed or was skipped says why, a missing peer how to get it. */
export function tableRow(row) {
  if (row.error !== undefined) return `${row.name.padEnd(30)} failed: ${row.error}`;
  if (row.skipped !== undefined) return `${row.name.padEnd(30)} skipped: ${row.skipped}`;
  return line(COLUMNS.map(({ text }) => text(row)));
}

function line(cells) {
  const padded = COLUMNS.map(({ width, right }, i) =>
    right ? cells[i].padStart(width) : cells[i].padEnd(width),
  );
  return padded.join(" ").trimEnd();
}

function show(value) {
  if (value === undefined) return "";
  return typeof value === "number" ? String(value) : value;
}

function targetOf({ target, goal }) {
  return target === undefined ? "" : `${goal === "atMost" ? "≤" : "≥"} ${target}`;
}

function verdictOf({ met, peer, target }) {
  if (target === undefined || peer === "missing") return "";
  return met ? "met" : "missed";
}

function sharesOf({ gflops, shareOfPeak, shareOfSgemm, shareOfBandwidth, ...row }) {
  const { howToGetPeer, note, cpuSeconds } = row;
  const parts = [];
  if (howToGetPeer) parts.push(`peer missing: ${howToGetPeer}`);
  if (gflops) parts.push(`${gflops} GFLOP/s`);
  if (shareOfPeak) parts.push(`${percent(shareOfPeak)} of FMA peak`);
  if (shareOfSgemm) parts.push(`${percent(shareOfSgemm)} of sgemm`);
  if (shareOfBandwidth) parts.push(`${percent(shareOfBandwidth)} of bandwidth`);
  if (cpuSeconds?.peer) parts.push(`CPU ${cpuSeconds.ours} s against ${cpuSeconds.peer} s a round`);
  if (note) parts.push(note);
  return parts.join(", ");
}

const percent = (share) => `${Math.round(100 * share)} %`;
