import { useEffect, useState } from "preact/hooks";
import type { RunList } from "../../../src/http/api/index.js";
import { ErrorNotice, Loading, Notice } from "../ui/notice.js";
import { useLoad, useRefresh } from "../ui/use-load.js";
import { RunTable } from "./run-table.js";
import { RunView } from "./run-view.js";
import { StartForm } from "./start-form.js";
import "./runs.css";

const REFRESH_MS = 3000;

/** Runs: what is there, what they do now, one or several looked at, new ones started. */
export function RunsPage() {
  const list = useLoad<RunList>("runs");
  const [chosen, choose] = useChosen();
  useRefresh(list.reload, REFRESH_MS);
  return (
    <>
      <h1 tabIndex={-1}>Runs</h1>
      <p class="lead">What is trained here, live. Choose one to look at it, several to compare.</p>
      <ErrorNotice error={list.error} retry={list.reload} />
      {!list.data && !list.error && <Loading />}
      {list.data?.problems.map((problem) => (
        <Notice key={problem} kind="bad">
          {problem}
        </Notice>
      ))}
      {list.data && <RunTable runs={list.data.runs} chosen={chosen} onChoose={choose} />}
      {chosen.length > 0 && <RunView runIds={chosen} onChanged={list.reload} />}
      {list.data?.canStart && (
        <StartForm
          onStarted={(run) => {
            choose([run.runId]);
            void list.reload();
          }}
        />
      )}
    </>
  );
}

/** Which runs are looked at: in the address, so that a link leads to the same. */
function useChosen(): [readonly string[], (runIds: readonly string[]) => void] {
  const read = () => location.hash.slice(1).split(",").filter(Boolean);
  const [chosen, setChosen] = useState<readonly string[]>(read);
  useEffect(() => {
    const update = () => setChosen(read());
    window.addEventListener("hashchange", update);
    return () => window.removeEventListener("hashchange", update);
  }, []);
  const choose = (runIds: readonly string[]) => {
    history.replaceState(
      null,
      "",
      `${location.pathname}${runIds.length ? `#${runIds.join()}` : ""}`,
    );
    setChosen(runIds);
  };
  return [chosen, choose];
}
