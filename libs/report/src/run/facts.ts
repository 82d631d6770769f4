import { formatBytes, formatCount, formatDuration } from "@stagecraft/core";
import type { ConfigurationTable } from "../page/report-data.js";
import type { RunData } from "./read-run.js";
import { durationOf, tokensOf } from "./verdict.js";

/** Where a run comes from: machine, versions, data with hashes, tokens, time, configuration. */
export function factsOf(run: RunData): ConfigurationTable {
  const { name, stage, state, startedAt, attempts, machine, versions, config, dir } = run;
  const took = durationOf(run);
  const tokens = tokensOf(run);
  const where = machine
    ? `${machine.cpu}, ${machine.cores} threads, ${formatBytes(machine.memoryBytes)} memory, ${machine.system}`
    : "not noted by the version that ran it";
  return {
    title: name === stage ? name : `${name} (${stage})`,
    values: {
      directory: dir,
      state: attempts > 1 ? `${state}, started ${attempts} times` : state,
      started: startedAt,
      ...(took !== undefined && { time: formatDuration(took) }),
      ...(tokens !== undefined && { tokens: formatCount(tokens) }),
      machine: where,
      ...versions,
      ...(versions["commit"] === undefined && { commit: "not known" }),
      ...config,
    },
    data: Object.entries(run.inputs ?? {}).map(([file, sha256]) => {
      const { bytes, lines } = run.inputSizes?.[file] ?? {};
      const sizes = [
        bytes !== undefined && formatBytes(bytes),
        lines !== undefined && `${formatCount(lines)} lines`,
      ];
      return { file, sha256, size: sizes.filter((part) => part !== false).join(", ") };
    }),
  };
}
