import type { Sampling } from "../../../src/http/api/index.js";
import { Field } from "../ui/field.js";

export interface ChatSettings extends Sampling {
  model: string;
  /** The system prompt. */
  setting: string;
}

export const DEFAULT_SETTINGS: ChatSettings = {
  ...{ temperature: 0.8, topP: 1, maxTokens: 256, seed: null },
  ...{ model: "", setting: "" },
};

interface Props {
  settings: ChatSettings;
  onChange: (settings: ChatSettings) => void;
}

/** How answers are drawn, and what the model is told before it begins. */
export function SamplingForm({ settings, onChange }: Props) {
  const set = (change: Partial<ChatSettings>) => onChange({ ...settings, ...change });
  const number = (
    name: "temperature" | "topP" | "maxTokens",
    min: number,
    max: number,
    step: number,
  ) => (
    <input
      type="number"
      {...{ min, max, step }}
      value={settings[name]}
      onChange={(event) => {
        const value = event.currentTarget.valueAsNumber;
        set({
          [name]: Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : settings[name],
        });
      }}
    />
  );
  return (
    <details>
      <summary>How it answers</summary>
      <div class="row">
        <Field label="Temperature" hint="0: always the likeliest word; higher: more variety.">
          {number("temperature", 0, 2, 0.1)}
        </Field>
        <Field label="Top p" hint="Only the likeliest words up to this share.">
          {number("topP", 0.05, 1, 0.05)}
        </Field>
        <Field label="Longest answer" hint="In tokens, which are pieces of words.">
          {number("maxTokens", 1, 4096, 1)}
        </Field>
        <Field
          label="Seed"
          hint="The same number gives the same answer; empty: a new one each time."
        >
          <input
            type="number"
            min={0}
            step={1}
            value={settings.seed ?? ""}
            onChange={(event) => {
              const value = event.currentTarget.valueAsNumber;
              set({ seed: Number.isInteger(value) && value >= 0 ? value : null });
            }}
          />
        </Field>
      </div>
      <Field
        label="Setting (system prompt)"
        hint="What the assistant should know before it begins."
      >
        <textarea
          dir="auto"
          value={settings.setting}
          onInput={(event) => set({ setting: event.currentTarget.value })}
        />
      </Field>
    </details>
  );
}
