import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { RunAlarm, RunDetails, RunItem, RunLink } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { ErrorNotice, Notice } from "../ui/notice.js";
import { useAction, useLoad } from "../ui/use-load.js";
import { Curves } from "./curves.js";
import { alarmsAmong } from "./run-records.js";
import { StateTag } from "./run-table.js";
import { useRunEvents, type LiveRun } from "./use-run-events.js";

/** The chosen runs: how each stands, then their curves over one another. */
export function RunView({
  runIds,
  onChanged,
}: {
  runIds: readonly string[];
  onChanged: () => unknown;
}) {
  const live = useRunEvents(runIds);
  const shown = useMemo(
    () =>
      runIds.flatMap((runId) => {
        const { run, records } = live.get(runId) ?? {};
        return run && records ? [{ name: run.name, stage: run.stage, records }] : [];
      }),
    [live, runIds.join()],
  );
  return (
    <>
      {runIds.map((runId) => (
        <OneRun key={runId} runId={runId} live={live.get(runId)} onChanged={onChanged} />
      ))}
      <h2>Figures</h2>
      {runIds.length > 1 && (
        <p>
          <a href={`/api/runs/report?ids=${runIds.join()}`} target="_blank" rel="noopener">
            These runs as one report
          </a>
        </p>
      )}
      <Curves runs={shown} />
    </>
  );
}

function OneRun({
  runId,
  live,
  onChanged,
}: {
  runId: string;
  live: LiveRun | undefined;
  onChanged: () => unknown;
}) {
  const run = live?.run;
  // What the run's folder says is asked for anew when its state changes.
  const path = `runs/${runId}${run ? `?state=${run.state}` : ""}`;
  const { data, error } = useLoad<RunDetails>(path);
  const alarms = [...alarmsAmong(live?.records ?? []), ...(data?.alarms ?? [])];
  if (error && !data && !run) return <ErrorNotice error={error} />;
  if (!run) return null;
  return (
    <section class="run" aria-label={`Run ${run.name}`}>
      <h2>
        <bdi>{run.name}</bdi> <StateTag run={run} />
      </h2>
      {live.away && <ErrorNotice error={live.away} />}
      {data && <p class="verdict">{data.verdict}</p>}
      {run.error && (
        <Notice kind="bad">
          <p>{run.error}</p>
        </Notice>
      )}
      {run.progress && run.progress.total > 0 && (
        <progress
          max={run.progress.total}
          value={run.progress.done}
          aria-label={`Progress of ${run.name}`}
        />
      )}
      {run.progress?.note && <p class="soft">{run.progress.note}</p>}
      <Controls run={run} onChanged={onChanged} />
      {[...live.problems, ...(data?.problems ?? [])].map((problem) => (
        <Notice key={problem}>
          <p>{problem}</p>
        </Notice>
      ))}
      <Alarms alarms={alarms} />
      {data && <Links details={data} />}
      {data && <Kin details={data} />}
      {data && data.facts.length > 0 && <Facts details={data} />}
    </section>
  );
}

function Controls({ run, onChanged }: { run: RunItem; onChanged: () => unknown }) {
  const { run: act, isBusy, error } = useAction();
  if (!run.isControlled) return null;
  const post = (action: string) =>
    void act(async () => {
      await request("POST", `runs/${run.runId}/${action}`);
      await onChanged();
    });
  const isWorking = run.state === "running" || run.state === "pending";
  const canResume = ["paused", "failed", "cancelled"].includes(run.state);
  return (
    <>
      <ErrorNotice error={error} />
      <div class="actions">
        <button
          class="button"
          type="button"
          disabled={isBusy || !isWorking}
          onClick={() => post("pause")}
        >
          Pause
        </button>
        <button
          class="button"
          type="button"
          disabled={isBusy || !canResume}
          onClick={() => post("resume")}
        >
          Resume
        </button>
        <button
          class="button danger"
          type="button"
          disabled={isBusy || !(isWorking || run.state === "paused")}
          onClick={() => post("cancel")}
        >
          Cancel
        </button>
        {isBusy && <span class="soft">It saves first …</span>}
      </div>
    </>
  );
}

function Alarms({ alarms }: { alarms: readonly RunAlarm[] }) {
  return (
    <>
      {alarms.map(({ step, message, meaning, advice }) => (
        <div class="notice bad" key={`${step} ${message}`}>
          <p>
            <strong>
              {step === undefined ? "" : `Step ${step}: `}
              {message}
            </strong>
          </p>
          <p>What it means: {meaning}</p>
          <p>What to try: {advice}</p>
        </div>
      ))}
    </>
  );
}

function Links({ details: { run, hasAnswers, hasReport } }: { details: RunDetails }) {
  if (!hasAnswers && !hasReport) return null;
  return (
    <p class="row">
      {hasAnswers && (
        <a href={`/api/runs/${run.runId}/answers`} target="_blank" rel="noopener">
          Its latest answers, token by token
        </a>
      )}
      {hasReport && (
        <a href={`/api/runs/report?ids=${run.runId}`} target="_blank" rel="noopener">
          Its report
        </a>
      )}
    </p>
  );
}

/** The runs before and after this one. */
function Kin({ details: { madeFrom, usedBy } }: { details: RunDetails }) {
  return (
    <>
      {madeFrom.length > 0 && (
        <p>
          Made from{" "}
          {listed(
            madeFrom.map((run) => (
              <>
                <RunAnchor run={run} />
                {run.isChanged && " (whose model has been made anew since)"}
              </>
            )),
          )}
        </p>
      )}
      {usedBy.length > 0 && (
        <p>Used by {listed(usedBy.map((run) => <RunAnchor key={run.runId} run={run} />))}</p>
      )}
    </>
  );
}

function RunAnchor({ run: { runId, name, stage } }: { run: RunLink }) {
  return (
    <a href={`#${runId}`}>
      <bdi>{name}</bdi> ({stage})
    </a>
  );
}

const listed = (parts: readonly ComponentChildren[]) =>
  parts.flatMap((part, i) => (i === 0 ? [part] : [", ", part]));

function Facts({ details: { run, facts, data } }: { details: RunDetails }) {
  return (
    <details>
      <summary>Where {run.name} comes from: configuration, machine, data</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label={`Facts of ${run.name}`}>
        <table>
          <tbody>
            {facts.map(({ name, value }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>
                  <code>{value}</code>
                </td>
              </tr>
            ))}
            {data.map(({ file, sha256, size }) => (
              <tr key={file}>
                <th scope="row">read: {file}</th>
                <td>
                  {size} <code>{sha256}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
