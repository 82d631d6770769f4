import { formatBytes } from "@stagecraft/core";
import type { Lineage, ModelRegistry, Promotion, RegisteredVersion } from "@stagecraft/registry";
import { alignRows, figure } from "../report/result-text.js";

/** A version with where it comes from, and when it was in use. */
export interface ModelDetails extends RegisteredVersion {
  /** Absent when nobody knows it; then `unknownBecause` says why. */
  lineage?: Lineage;
  unknownBecause?: string;
  promotions: Promotion[];
}

/** See `ModelDetails`; throws `not_found` as `find` does. */
export async function modelDetails(
  registry: ModelRegistry,
  reference: string,
): Promise<ModelDetails> {
  const version = await registry.find(reference);
  const found = await registry.lineage(version);
  const all = await registry.promotions(version.name);
  return {
    ...version,
    ...(found.lineage ? { lineage: found.lineage } : { unknownBecause: found.reason }),
    promotions: all.filter((each) => each.version === version.version),
  };
}

/** One line a version. */
export function listText(versions: readonly RegisteredVersion[], file: string): string {
  if (versions.length === 0) {
    return `${file} has no model yet; \`stagecraft models promote NAME DIR\` puts one to use`;
  }
  const rows = versions.map((each): [string, string] => [
    `${each.isPromoted ? "*" : " "} ${each.name}@${each.version}`,
    [each.addedAt.slice(0, 19).replace("T", " "), each.stage, each.dir, each.note, figures(each)]
      .filter((part) => part !== "")
      .join("  "),
  ]);
  return alignRows(rows).join("\n");
}

function figures({ figures: all }: RegisteredVersion): string {
  const first = Object.entries(all).slice(0, 3);
  return first.map(([name, value]) => `${name} ${figure(value)}`).join("  ");
}

/** Everything that is known of a version. */
export function showText(details: ModelDetails): string {
  const { name, version, isPromoted, path, sha256, sizeBytes, stage, addedAt, note } = details;
  const rows: [string, string][] = [
    ["in use", isPromoted ? "yes" : "no"],
    ["folder", path],
    ["weights", `sha256 ${sha256}, ${formatBytes(sizeBytes)}`],
    ["stage", stage],
    ["registered", addedAt],
    ...(note === "" ? [] : [["note", note] as [string, string]]),
    ...details.promotions.map(({ at, by, kind }): [string, string] => [kind, `${at} by ${by}`]),
  ];
  return [`${name}@${version}`, ...alignRows(rows), ...lineageLines(details)].join("\n");
}

function lineageLines({ lineage, unknownBecause = "" }: ModelDetails): string[] {
  if (!lineage) return ["", `where it comes from is unknown: ${unknownBecause}`];
  const { parents, data, figures: all, versions, commit, times, ancestors } = lineage;
  const section = (title: string, rows: readonly (readonly [string, string])[]) =>
    rows.length === 0 ? [] : ["", title, ...alignRows(rows.map(([a, b]) => [a, b]))];
  const origin = (sha256: string, made: string) => `${made}, sha256 ${sha256}`;
  return [
    ...section(
      "made from",
      parents.map((each) => [each.field, `${each.path}, ${origin(each.sha256, each.stage)}`]),
    ),
    ...section(
      "data",
      data.map(({ field, path, sizeBytes, numLines }) => [
        field,
        `${path}, ${numLines === undefined ? "" : `${numLines} lines, `}${formatBytes(sizeBytes)}`,
      ]),
    ),
    ...section(
      "figures",
      Object.entries(all).map(([key, value]) => [key, figure(value)]),
    ),
    ...section(
      "ancestors",
      ancestors.map((each) => [each.stage, `sha256 ${each.sha256}`]),
    ),
    ...section("made with", [
      ...Object.entries(versions).map(([key, value]) => [key, String(value)] as const),
      ["commit", commit],
      ["begun", times.startedAt],
      ["finished", times.finishedAt],
    ]),
  ];
}
