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
        {KINDS.flatMap(([kind, name]) =>
          ["jsonl", "parquet"].map((format) => (
            <a
              class="button small"
              key={kind + format}
              href={`/api/operator/export/${kind}?format=${format}`}
              download
            >
              {name} ({format === "jsonl" ? "JSONL" : "Parquet"})
            </a>
          )),
        )}
      </div>
    </section>
  );
}
