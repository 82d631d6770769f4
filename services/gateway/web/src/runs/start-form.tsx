import { useState } from "preact/hooks";
import type { RunItem, RunStages } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { Field } from "../ui/field.js";
import { ErrorNotice } from "../ui/notice.js";
import { useAction, useLoad } from "../ui/use-load.js";
import { configOf, fieldsOf, type ConfigField } from "./stage-schema.js";

/** Starts a run: the fields are those of the stage's schema, what is left empty has its default. */
export function StartForm({ onStarted }: { onStarted: (run: RunItem) => void }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details class="start-form" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Start a run</summary>
      {isOpen && <Stages onStarted={onStarted} />}
    </details>
  );
}

function Stages({ onStarted }: { onStarted: (run: RunItem) => void }) {
  const { data, error, reload } = useLoad<RunStages>("runs/stages");
  const [name, setName] = useState("");
  if (error) return <ErrorNotice error={error} retry={reload} />;
  if (!data) return null;
  const stage = data.stages.find((each) => each.name === name) ?? data.stages[0];
  if (!stage) return <p class="soft">This trainer has no stage to run.</p>;
  return (
    <>
      <Field label="Stage" hint={stage.summary}>
        <select value={stage.name} onChange={(event) => setName(event.currentTarget.value)}>
          {data.stages.map((each) => (
            <option key={each.name} value={each.name}>
              {each.name}
            </option>
          ))}
        </select>
      </Field>
      <StageForm key={stage.name} stage={stage} onStarted={onStarted} />
    </>
  );
}

function StageForm({
  stage,
  onStarted,
}: {
  stage: RunStages["stages"][number];
  onStarted: (run: RunItem) => void;
}) {
  const [runName, setRunName] = useState("");
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const { run, isBusy, error } = useAction();
  const fields = fieldsOf(stage.schema);
  const start = () =>
    run(async () => {
      const config = configOf(fields, values);
      const body = { stage: stage.name, name: runName, config };
      onStarted(await request<RunItem>("POST", "runs", body));
    });
  const inputs = (some: readonly ConfigField[]) =>
    some.map((field) => (
      <ConfigInput
        key={field.name}
        field={field}
        value={values[field.name] ?? ""}
        onChange={(value) => setValues((old) => ({ ...old, [field.name]: value }))}
      />
    ));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <div class="fields">
        <Field label="Name" hint="Letters, digits, _ and -; empty: the trainer chooses one">
          <input value={runName} onInput={(event) => setRunName(event.currentTarget.value)} />
        </Field>
        {inputs(fields.filter(({ isRequired }) => isRequired))}
      </div>
      <details>
        <summary>Everything else of {stage.name}</summary>
        <div class="fields">{inputs(fields.filter(({ isRequired }) => !isRequired))}</div>
      </details>
      <ErrorNotice error={error} />
      <div class="actions">
        <button class="button primary" type="submit" disabled={isBusy}>
          Start
        </button>
      </div>
    </form>
  );
}

function ConfigInput({
  field,
  value,
  onChange,
}: {
  field: ConfigField;
  value: string;
  onChange: (value: string) => void;
}) {
  const { name, hint, isRequired, choices, type, initial } = field;
  if (choices.length > 0) {
    return (
      <Field label={name} hint={hint}>
        <select
          data-field={name}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          <option value="">{initial === "" ? "not set" : `as by default: ${initial}`}</option>
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      </Field>
    );
  }
  const isNumber = type === "number" || type === "integer";
  return (
    <Field label={name} hint={hint}>
      <input
        data-field={name}
        value={value}
        placeholder={initial}
        required={isRequired}
        {...(isNumber ? { inputMode: "decimal" as const } : {})}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </Field>
  );
}
