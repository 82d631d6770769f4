import type { ServedModels } from "../../../src/http/api/index.js";
import { Field } from "./field.js";
import { useLoad } from "./use-load.js";

/** Which of the served models answers; empty = the current one. Nothing is shown where there is no choice. */
export function ModelChoice({
  label = "Model",
  value,
  onChange,
}: {
  label?: string;
  value: string;
  onChange: (id: string) => void;
}) {
  const { data } = useLoad<ServedModels>("models");
  if (!data || data.models.length < 2) return null;
  return (
    <Field label={label}>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">the current one</option>
        {data.models.map((model) => (
          <option value={model.id} key={model.id}>
            {model.label}
          </option>
        ))}
      </select>
    </Field>
  );
}
