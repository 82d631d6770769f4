import type { RunItem } from "../../../src/http/api/index.js";
import { dateTime } from "../ui/format.js";
import { EmptyState } from "../ui/notice.js";

/** All runs; a tick shows one below, several over one another. */
export function RunTable({
  runs,
  chosen,
  onChoose,
}: {
  runs: readonly RunItem[];
  chosen: readonly string[];
  onChoose: (runIds: readonly string[]) => void;
}) {
  if (runs.length === 0) {
    return (
      <EmptyState title="No runs yet">
        <p>
          Runs appear here when a trainer or <code>npx stagecraft</code> works in a folder that this
          gateway looks at.
        </p>
      </EmptyState>
    );
  }
  const toggle = (runId: string) =>
    onChoose(chosen.includes(runId) ? chosen.filter((each) => each !== runId) : [...chosen, runId]);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Runs">
      <table class="run-table">
        <thead>
          <tr>
            <th scope="col">Look at</th>
            <th scope="col">Stage</th>
            <th scope="col">State</th>
            <th scope="col" class="n">
              Done
            </th>
            <th scope="col">Started</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.runId}>
              <th scope="row">
                <label class="choice">
                  <input
                    type="checkbox"
                    checked={chosen.includes(run.runId)}
                    onChange={() => toggle(run.runId)}
                  />
                  <bdi>{run.name}</bdi>
                </label>
              </th>
              <td>{run.stage}</td>
              <td>
                <StateTag run={run} />
              </td>
              <td class="n">{doneText(run)}</td>
              <td>{run.startedAt ? dateTime(run.startedAt) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** How a run stands. */
export function StateTag({ run: { state } }: { run: RunItem }) {
  const kind =
    state === "succeeded" || state === "running" ? "good" : state === "failed" ? "bad" : "";
  return <span class={`tag ${kind}`}>{state}</span>;
}

function doneText({ progress }: RunItem): string {
  if (!progress) return "–";
  const { done, total, unit } = progress;
  const count = (value: number) => value.toLocaleString("en");
  return total > 0 ? `${count(done)} of ${count(total)} ${unit}` : `${count(done)} ${unit}`;
}
