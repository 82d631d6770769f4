import { createHash } from "node:crypto";
import { throwIfAborted } from "@stagecraft/core";
import { RecordProblem } from "../bad-records.js";
import { renamed } from "../columns.js";
import { holdsRecords, type StoredRecord } from "../formats/files/file-format.js";
import { fileFormatOf } from "../formats/files/table.js";
import { objectOf, stringField } from "../formats/records/fields.js";
import { formatFor, formatNamed, formatsOf, RECORD_FORMATS } from "../formats/records/table.js";
import { placeOf, type Origin } from "../origin.js";
import { readDocuments } from "../documents.js";

/** What a file may be for; "texts" are documents of a corpus. */
const CHECKED_KINDS = ["rankings", "conversations", "texts", "prompts"] as const;
export type CheckedKind = (typeof CHECKED_KINDS)[number];

export interface CheckOptions {
  /** What the file is for. Default: what most of its records are. */
  kind?: CheckedKind | undefined;
  format?: string;
  columns?: Readonly<Record<string, string>>;
  /** Problems and first records that are kept of each kind. Default 10 and 3. */
  maxProblems?: number;
  numSamples?: number;
  signal?: AbortSignal;
}

/** How a file reads as one kind. */
export interface KindReport {
  /** Stored records that are of this kind, and what they give: one may hold several. */
  numRecords: number;
  numItems: number;
  /** Records by format. */
  formats: Record<string, number>;
  numProblems: number;
  /** The first of them, each with its place. */
  problems: string[];
  /** The first items, as the stages read them. */
  samples: unknown[];
}

export interface FileReport {
  file: string;
  /** Such as "jsonl" or "parquet". */
  fileFormat: string;
  numRecords: number;
  /** Records that say the same as an earlier one, character by character. */
  numDuplicates: number;
  /** What the file is for; undefined when no record is of any kind. */
  kind: CheckedKind | undefined;
  kinds: Record<CheckedKind, KindReport>;
}

/**
 * Reads a whole file as everything that it could be, and says what it is, what it holds and where it is
 * wrong. Throws as the readers do for a file that cannot be read at all.
 */
export async function checkFile(file: string, options: CheckOptions = {}): Promise<FileReport> {
  checkName(options);
  const format = fileFormatOf(file);
  const report = emptyReport(file, format.name);
  if (!holdsRecords(format)) return checkText(report, options);
  const seen = new Set<string>();
  for await (const stored of format.readRecords(file, options.signal)) {
    throwIfAborted(options.signal);
    report.numRecords++;
    const origin = { file, line: stored.place, unit: format.unit };
    for (const kind of CHECKED_KINDS) tryKind(kind, stored, { report, origin, options });
    if ("value" in stored && isRepeated(stored.value, seen)) report.numDuplicates++;
  }
  return { ...report, kind: options.kind ?? likeliest(report) };
}

/** A format that reads no kind at all is a slip of the pen. */
function checkName({ format = "auto", kind = "conversations" }: CheckOptions): void {
  const isKnown = RECORD_FORMATS.some(({ name }) => name === format);
  if (format !== "auto" && !isKnown && kind !== "texts") formatNamed(kind, format);
}

async function checkText(report: FileReport, options: CheckOptions): Promise<FileReport> {
  const { signal } = options;
  const kind = report.kinds.texts;
  for await (const { text, first } of readDocuments([report.file], signal ? { signal } : {})) {
    if (!first) continue;
    report.numRecords++;
    count(kind, "text", [text], options);
  }
  return { ...report, kind: kind.numItems > 0 ? "texts" : undefined };
}

function emptyReport(file: string, fileFormat: string): FileReport {
  const empty = (): KindReport => ({
    ...{ numRecords: 0, numItems: 0, formats: {} },
    ...{ numProblems: 0, problems: [], samples: [] },
  });
  const kinds = Object.fromEntries(CHECKED_KINDS.map((kind) => [kind, empty()]));
  return {
    ...{ file, fileFormat, numRecords: 0, numDuplicates: 0, kind: undefined },
    kinds: kinds as Record<CheckedKind, KindReport>,
  };
}

interface Scope {
  report: FileReport;
  origin: Origin;
  options: CheckOptions;
}

function tryKind(
  kind: CheckedKind,
  stored: StoredRecord,
  { report, origin, options }: Scope,
): void {
  const found = report.kinds[kind];
  try {
    if ("problem" in stored) throw new RecordProblem(stored.problem);
    const { format, items } = itemsOf(kind, stored.value, options);
    count(found, format, items, options);
  } catch (thrown) {
    if (!(thrown instanceof RecordProblem)) throw thrown;
    if (found.numProblems++ >= (options.maxProblems ?? 10)) return;
    found.problems.push(`${placeOf(origin)}: ${thrown.message}`);
  }
}

function count(
  report: KindReport,
  format: string,
  items: readonly unknown[],
  { numSamples = 3 }: CheckOptions,
): void {
  report.numRecords++;
  report.numItems += items.length;
  report.formats[format] = (report.formats[format] ?? 0) + 1;
  report.samples.push(...items.slice(0, numSamples - report.samples.length));
}

function itemsOf(
  kind: CheckedKind,
  value: unknown,
  { format = "auto", columns = {} }: CheckOptions,
) {
  if (kind === "texts") {
    const text = typeof value === "string" ? value : textOf(value, columns);
    return { format: "text", items: [text] };
  }
  const fields = renamed(objectOf(value), columns);
  const isNamed = format !== "auto" && formatsOf(kind).some(({ name }) => name === format);
  const chosen = isNamed ? formatNamed(kind, format) : formatFor(kind, fields);
  return { format: chosen.name, items: chosen[kind]!(fields, "") };
}

function textOf(value: unknown, columns: Readonly<Record<string, string>>): string {
  return stringField(renamed(objectOf(value), columns), "text");
}

/** What most records are; of several, the kind that says most. */
function likeliest({ kinds }: FileReport): CheckedKind | undefined {
  const most = Math.max(...CHECKED_KINDS.map((kind) => kinds[kind].numRecords));
  return most === 0 ? undefined : CHECKED_KINDS.find((kind) => kinds[kind].numRecords === most);
}

function isRepeated(value: unknown, seen: Set<string>): boolean {
  const hash = createHash("sha256")
    .update(JSON.stringify(value) ?? "")
    .digest("base64url");
  const key = hash.slice(0, 16);
  if (seen.has(key)) return true;
  seen.add(key);
  return false;
}
