import type { VersionLineage, VersionView } from "../../../src/http/api/index.js";
import { dateTime } from "../ui/format.js";

export interface VersionCardProps {
  name: string;
  version: VersionView;
  isBusy: boolean;
  onPromote: () => void;
}

/** One version: its figures, where it comes from, and what can be done with it. */
export function VersionCard({ name, version, isBusy, onPromote }: VersionCardProps) {
  const { version: number, stage, note, addedAt, isPromoted, figures } = version;
  const title = `${name} version ${number}`;
  return (
    <li class="model-version">
      <h3>
        Version {number} <span class="tag">{stage === "unknown" ? "made elsewhere" : stage}</span>{" "}
        {isPromoted && <span class="tag good">in use</span>}
      </h3>
      <p class="soft">
        {note && <bdi>{note}, </bdi>}registered {dateTime(addedAt)}
      </p>
      <Facts facts={Object.entries(figures).slice(0, 6)} />
      <div class="actions">
        <button
          class="button small"
          type="button"
          disabled={isBusy || isPromoted}
          onClick={onPromote}
          aria-label={`Put to use: ${title}`}
        >
          Put to use
        </button>
        <a
          class="button small"
          href={`/api/registry/${name}/${number}/archive`}
          download={`${name}-${number}.tar`}
          aria-label={`Download (${megabytes(version.sizeBytes)}): ${title}`}
        >
          Download ({megabytes(version.sizeBytes)})
        </a>
      </div>
      <details>
        <summary>Where version {number} comes from</summary>
        <dl>
          <Fact name="folder" value={version.path} />
          <Fact name="weights" value={`sha256 ${version.sha256}`} />
        </dl>
        {version.lineage ? (
          <Lineage lineage={version.lineage} figures={figures} />
        ) : (
          <p>Unknown: {version.unknownBecause}.</p>
        )}
      </details>
    </li>
  );
}

function Lineage({ lineage, figures }: { lineage: VersionLineage; figures: object }) {
  const { parents, data, ancestors, config, versions, commit } = lineage;
  return (
    <>
      <h4>Made from</h4>
      <ul>
        {parents.length === 0 && <li>nothing: its weights began at random</li>}
        {parents.map(({ field, path, sha256, stage }) => (
          <li key={`${field} ${path}`}>
            {field}: <code>{path}</code>,{" "}
            {stage === "unknown" ? "of unknown origin" : `by ${stage}`}, sha256{" "}
            <code>{sha256}</code>
          </li>
        ))}
      </ul>
      <h4>Data</h4>
      <ul>
        {data.map(({ field, path, sha256, numLines, sizeBytes }) => (
          <li key={`${field} ${path}`}>
            {field}: <code>{path}</code>,{" "}
            {numLines === undefined ? "" : `${numLines.toLocaleString("en")} lines, `}
            {megabytes(sizeBytes)}, sha256 <code>{sha256}</code>
          </li>
        ))}
      </ul>
      {ancestors.length > 0 && (
        <>
          <h4>Ancestors</h4>
          <ul>
            {ancestors.map(({ stage, sha256 }) => (
              <li key={sha256}>
                {stage}, sha256 <code>{sha256}</code>
              </li>
            ))}
          </ul>
        </>
      )}
      <h4>Figures</h4>
      <Facts facts={Object.entries(figures)} />
      <h4>Configuration</h4>
      <Facts facts={Object.entries(config)} />
      <h4>Made with</h4>
      <Facts
        facts={[
          ...Object.entries(versions),
          ["commit", commit],
          ["begun", dateTime(lineage.startedAt)],
          ["finished", dateTime(lineage.finishedAt)],
        ]}
      />
    </>
  );
}

function Facts({ facts }: { facts: readonly (readonly [string, unknown])[] }) {
  if (facts.length === 0) return null;
  return (
    <dl>
      {facts.map(([name, value]) => (
        <Fact key={name} name={name} value={shown(value)} />
      ))}
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function shown(value: unknown): string {
  if (typeof value === "number") {
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  }
  return typeof value === "string" ? value || "–" : JSON.stringify(value);
}

function megabytes(bytes: number): string {
  const mb = bytes / 1e6;
  return mb < 1 ? `${Math.ceil(bytes / 1000)} kB` : `${mb.toFixed(mb < 10 ? 1 : 0)} MB`;
}
