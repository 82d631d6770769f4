import { useEffect, useState } from "preact/hooks";
import type { CriteriaSettings } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { ErrorNotice, Loading, Notice } from "../ui/notice.js";
import { useAction, useLoad } from "../ui/use-load.js";

type Row = CriteriaSettings["criteria"][number];

/** By what answers are ranked beside the order as a whole. */
export function CriteriaForm() {
  const loaded = useLoad<CriteriaSettings>("operator/criteria");
  const [rows, setRows] = useState<Row[]>();
  const [isSaved, setSaved] = useState(false);
  const { run, error, isBusy } = useAction();
  useEffect(() => setRows(loaded.data?.criteria), [loaded.data]);
  if (loaded.error) return <ErrorNotice error={loaded.error} retry={loaded.reload} />;
  if (!rows) return <Loading />;
  const set = (index: number, change: Partial<Row>) => {
    setSaved(false);
    setRows(rows.map((row, i) => (i === index ? { ...row, ...change } : row)));
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const body: CriteriaSettings = { criteria: rows };
      loaded.setData(await request<CriteriaSettings>("PUT", "operator/criteria", body));
      setSaved(true);
    });
  };
  return (
    <form class="tile criteria-form" onSubmit={submit}>
      <h2>Questions beside the order as a whole</h2>
      {rows.map((row, i) => (
        <fieldset key={row.id}>
          <legend>
            <bdi>{row.name || row.id}</bdi>
          </legend>
          <input
            aria-label={`Name of ${row.id}`}
            dir="auto"
            required
            value={row.name}
            onInput={(event) => set(i, { name: event.currentTarget.value })}
          />
          <input
            aria-label={`Question of ${row.id}`}
            dir="auto"
            class="question"
            required
            value={row.question}
            onInput={(event) => set(i, { question: event.currentTarget.value })}
          />
          <select
            aria-label={`Whether ${row.id} is asked`}
            value={row.ask}
            onChange={(event) => set(i, { ask: event.currentTarget.value as Row["ask"] })}
          >
            <option value="off">not asked</option>
            <option value="optional">optional</option>
            <option value="required">required</option>
          </select>
        </fieldset>
      ))}
      <ErrorNotice error={error} />
      {isSaved && <Notice kind="good">Saved.</Notice>}
      <button class="button primary" disabled={isBusy}>
        Save the questions
      </button>
    </form>
  );
}
