import type { ServedModels } from "../../../src/http/api/index.js";
import { Field } from "./field.js";
import { useLoad } from "./use-load.js";

/** Which of the served models answers; empty = the current one. Where there is no choice it is named. */
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
  const [first, ...others] = data?.models ?? [];
  if (!data || !first) return null;
  if (others.length === 0) {
    return (
      <p class="soft">
        {label}: <bdi>{first.label}</bdi> {first.version}
      </p>
    );
  }
  return (
    <Field label={label}>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">{first.label}, the current one</option>
        {others.map((model) => (
          <option value={model.id} key={model.id}>
            {model.label}
          </option>
        ))}
      </select>
    </Field>
  );
}
