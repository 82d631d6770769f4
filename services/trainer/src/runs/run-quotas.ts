import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { METRICS, type Metrics } from "@stagecraft/telemetry";

/** How much its callers may make a trainer keep. */
export interface RunQuotaOptions {
  runsDir: string;
  /** Runs known, whatever their state. */
  maxRuns: number;
  /** Bytes in the runs folder beyond which nothing new begins, MiB; 0 = no bound. */
  maxRunsMb: number;
  metrics?: Metrics | undefined;
}

/** Asked before a run is accepted; throws `resource_exhausted` or `invalid_argument` and counts it. */
export interface RunQuotas {
  check(run: { config: JsonObject; numRuns: number }): Promise<void>;
}

/** Larger than any configuration of a stage; every listing carries them. */
export const MAX_CONFIG_BYTES = 64 * 1024;
const MIB = 1024 * 1024;

/** See RunQuotaOptions. */
export function createRunQuotas(options: RunQuotaOptions): RunQuotas {
  const { runsDir, maxRuns, maxRunsMb, metrics } = options;
  const refusals = metrics?.counter(METRICS.trainerRefusals);
  const refuse = (reason: string, error: StagecraftError) => {
    refusals?.add({ reason });
    throw error;
  };
  return {
    async check({ config, numRuns }) {
      const size = Buffer.byteLength(JSON.stringify(config));
      if (size > MAX_CONFIG_BYTES) {
        refuse("config", tooLarge(size));
      }
      if (numRuns >= maxRuns) {
        const what = `there are ${numRuns} runs, the limit of this trainer (--max-runs)`;
        refuse(
          "runs",
          exhausted(`${what}; remove folders of old runs and restart it, or raise the limit`),
        );
      }
      if (maxRunsMb === 0) return;
      const usedMb = (await bytesIn(runsDir)) / MIB;
      if (usedMb >= maxRunsMb) {
        const what = `the runs take ${Math.ceil(usedMb)} MiB of ${maxRunsMb} (--max-runs-mb)`;
        refuse("disk", exhausted(`${what}; remove old runs or raise the limit`));
      }
    },
  };
}

function tooLarge(size: number): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `config has ${size} bytes, must be at most ${MAX_CONFIG_BYTES}`,
    { details: { field: "config" } },
  );
}

function exhausted(reason: string): StagecraftError {
  return new StagecraftError("resource_exhausted", reason);
}

/** Files that come and go while it counts are passed over. */
async function bytesIn(dir: string): Promise<number> {
  let bytes = 0;
  const entries = await opendir(dir).catch(() => undefined);
  if (!entries) return 0;
  for await (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) bytes += await bytesIn(path);
    else if (entry.isFile()) bytes += (await stat(path).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
