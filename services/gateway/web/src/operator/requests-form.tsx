import { useState } from "preact/hooks";
import type { AddRequests, RequestsAdded } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { count } from "../ui/format.js";
import { Field } from "../ui/field.js";
import { ErrorNotice, Notice } from "../ui/notice.js";
import { useAction } from "../ui/use-load.js";

/** Requests for writers to answer, one a line. */
export function RequestsForm() {
  const [text, setText] = useState("");
  const [said, setSaid] = useState("");
  const { run, error, isBusy } = useAction();
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const requests = lines.map((line) => ({
        turns: [{ role: "user" as const, content: line.trim() }],
      }));
      const body: AddRequests = { requests };
      const { numAdded } = await request<RequestsAdded>("POST", "operator/requests", body);
      setSaid(`${count(numAdded, "new request")}; ${lines.length - numAdded} were there before.`);
      setText("");
    });
  };
  return (
    <form class="tile" onSubmit={submit}>
      <h2>Requests for writers</h2>
      <Field label="One request a line" hint="Writers are given them on the page Write.">
        <textarea dir="auto" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </Field>
      <ErrorNotice error={error} />
      {said && <Notice kind="good">{said}</Notice>}
      <button class="button" disabled={isBusy || lines.length === 0}>
        Add {count(lines.length, "request")}
      </button>
    </form>
  );
}
