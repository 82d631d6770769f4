import { useEffect, useState } from "preact/hooks";
import type { Settings } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { Field } from "../ui/field.js";
import { ErrorNotice, Loading, Notice } from "../ui/notice.js";
import { useAction, useLoad } from "../ui/use-load.js";

/** How people are asked: overlap, leases, gold items, automatic rounds. */
export function SettingsForm() {
  const loaded = useLoad<Settings>("operator/settings");
  const [settings, setSettings] = useState<Settings>();
  const [isSaved, setSaved] = useState(false);
  const { run, error, isBusy } = useAction();
  useEffect(() => setSettings(loaded.data), [loaded.data]);
  if (loaded.error) return <ErrorNotice error={loaded.error} retry={loaded.reload} />;
  if (!settings) return <Loading />;
  const set = (change: Partial<Settings>) => {
    setSaved(false);
    setSettings({ ...settings, ...change });
  };
  const number = (name: "ratersPerComparison" | "leaseMinutes", max: number) => (
    <input
      type="number"
      min={1}
      max={max}
      required
      value={settings[name]}
      onInput={(event) => set({ [name]: Number(event.currentTarget.value) })}
    />
  );
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      loaded.setData(await request<Settings>("PATCH", "operator/settings", settings));
      setSaved(true);
    });
  };
  return (
    <form class="tile" onSubmit={submit}>
      <h2>How people are asked</h2>
      <Field
        label="People for each comparison"
        hint="Two or more show how far people agree; one gets more comparisons ranked."
      >
        {number("ratersPerComparison", 100)}
      </Field>
      <Field
        label="Minutes until a comparison goes to somebody else"
        hint="Counted from when a person gets it."
      >
        {number("leaseMinutes", 1440)}
      </Field>
      <Field
        label="Share of gold items, in percent"
        hint="Comparisons whose right order you know, mixed in unseen. They measure people; nothing is learned from them."
      >
        <input
          type="number"
          min={0}
          max={50}
          required
          value={Math.round(100 * settings.goldShare)}
          onInput={(event) => set({ goldShare: Number(event.currentTarget.value) / 100 })}
        />
      </Field>
      <label class="choice">
        <input
          type="checkbox"
          checked={settings.automaticRounds}
          onChange={(event) => set({ automaticRounds: event.currentTarget.checked })}
        />
        Begin the next round by itself when one has ended well
      </label>
      <ErrorNotice error={error} />
      {isSaved && <Notice kind="good">Saved.</Notice>}
      <button class="button primary" disabled={isBusy}>
        Save
      </button>
    </form>
  );
}
