import { useState } from "preact/hooks";
import type { Overview } from "../../../src/http/api/index.js";
import { useSession } from "../session/session.js";
import { count } from "../ui/format.js";
import { ErrorNotice } from "../ui/notice.js";
import { useLoad, useRefresh } from "../ui/use-load.js";
import { AuditList } from "./audit-list.js";
import { CriteriaForm } from "./criteria-form.js";
import { ExportSection } from "./export-section.js";
import { FlagList } from "./flag-list.js";
import { GoldList } from "./gold-list.js";
import { HourBars } from "./hour-bars.js";
import { KeysSection } from "./keys-section.js";
import { LoopSection } from "./loop-section.js";
import { QueueList } from "./queue-list.js";
import { RequestsForm } from "./requests-form.js";
import { SettingsForm } from "./settings-form.js";
import "./operator.css";

const REFRESH_MS = 5000;

const SECTIONS = {
  rounds: "Rounds",
  queue: "Queue",
  settings: "Settings",
  gold: "Gold",
  flags: "Flags",
  keys: "Keys",
  log: "Who did what",
} as const;
type Section = keyof typeof SECTIONS;

/** Operator: the queue, the rounds, and how people are asked. */
export function OperatorPage() {
  const { session } = useSession();
  const [section, setSection] = useState<Section>("rounds");
  const isShown = (id: string) => id !== "keys" || session.me.roles.includes("admin");
  const shown = Object.entries(SECTIONS).filter(([id]) => isShown(id));
  return (
    <>
      <h1 tabIndex={-1}>Operator</h1>
      <p class="lead">What waits for people, what they have said, and what is learned from it.</p>
      <OverviewTiles />
      <div class="tabs" role="group" aria-label="Parts of this page">
        {shown.map(([id, name]) => (
          <button
            class="button"
            type="button"
            key={id}
            aria-pressed={id === section}
            onClick={() => setSection(id as Section)}
          >
            {name}
          </button>
        ))}
      </div>
      {section === "rounds" && <LoopSection />}
      {section === "queue" && (
        <>
          <QueueList />
          <RequestsForm />
        </>
      )}
      {section === "settings" && (
        <>
          <SettingsForm />
          <CriteriaForm />
        </>
      )}
      {section === "gold" && <GoldList />}
      {section === "flags" && <FlagList />}
      {section === "keys" && <KeysSection />}
      {section === "log" && <AuditList />}
      <ExportSection />
    </>
  );
}

function OverviewTiles() {
  const { data, error, reload } = useLoad<Overview>("operator/overview");
  useRefresh(reload, REFRESH_MS);
  if (error && !data) return <ErrorNotice error={error} retry={reload} />;
  if (!data) return null;
  const { comparisons, rankings, demonstrations, flags, leases, skips } = data;
  const tiles: [label: string, value: number, detail: string][] = [
    ["Wait for people", comparisons.open, `${count(leases, "person", "people")} at it now`],
    ["Ranked as often as asked", comparisons.done, `${comparisons.withdrawn} withdrawn`],
    ["Rankings", rankings, `${comparisons.gold} gold items`],
    ["Examples", demonstrations, "of ideal answers"],
    ["Flags", flags, "on bad answers"],
    ["Skips", skips.reduce((sum, skip) => sum + skip.count, 0), skipText(skips)],
  ];
  return (
    <>
      <ul class="highlights">
        {tiles.map(([label, value, detail]) => (
          <li key={label}>
            <span>{label}</span>
            <b>{value.toLocaleString("en")}</b>
            <small>{detail}</small>
          </li>
        ))}
      </ul>
      <HourBars rankings={data.rankingsByHour} />
    </>
  );
}

function skipText(skips: Overview["skips"]): string {
  const most = [...skips].sort((a, b) => b.count - a.count)[0];
  return most ? `most often: ${most.reason.replaceAll("-", " ")}` : "none";
}
