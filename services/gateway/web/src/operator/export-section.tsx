import type { ExportKind } from "../../../src/http/api/index.js";

const KINDS: readonly (readonly [ExportKind, string])[] = [
  ["rankings", "Rankings"],
  ["demonstrations", "Examples"],
  ["flags", "Flags"],
];

/** Everything that people said, as files. */
export function ExportSection() {
  return (
    <section>
      <h2>Take it along</h2>
      <p class="soft">
        Rankings are what <code>stagecraft reward</code> reads, examples what{" "}
        <code>stagecraft sft</code> reads.
      </p>
      <div class="actions">
        {KINDS.map(([kind, name]) => (
          <a class="button small" key={kind} href={`/api/operator/export/${kind}`} download>
            {name} (JSONL)
          </a>
        ))}
      </div>
    </section>
  );
}
