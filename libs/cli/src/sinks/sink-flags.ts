import type { Command } from "commander";
import type { StageReporter } from "@stagecraft/runs";
import type { SinkKind } from "./metrics-sink.js";

export interface SinkFlags {
  tensorboard?: string | true;
  mlflow?: string;
  mlflowExperiment?: string;
}

/** `--tensorboard [DIR]`, `--mlflow URL`: where a command's figures go beside metrics.jsonl. */
export function addSinkFlags(command: Command): Command {
  return command
    .option(
      "--tensorboard [dir]",
      "write TensorBoard event files too: to tensorboard/ of each run, or to a folder of its name in DIR",
    )
    .option("--mlflow <url>", "send figures to this MLflow server too, as a run of its own each")
    .option("--mlflow-experiment <name>", "the experiment of those runs (default: stagecraft)");
}

/** Does the work with a reporter that brings the figures of every run in `root` to the sinks as well. */
export async function withSinks<T>(
  flags: SinkFlags,
  { root, reporter }: { root: string; reporter: StageReporter },
  work: (reporter: StageReporter) => Promise<T>,
): Promise<T> {
  const kinds = await kindsOf(flags);
  if (kinds.length === 0) return await work(reporter);
  const { followRuns } = await import("./follow-runs.js");
  const follower = await followRuns(root, { kinds, reporter });
  const metrics: StageReporter["metrics"] = (record) => {
    reporter.metrics(record);
    follower.tell();
  };
  try {
    return await work({
      ...{ metrics, progress: reporter.progress.bind(reporter) },
      ...{ info: reporter.info.bind(reporter), warn: reporter.warn.bind(reporter) },
    });
  } finally {
    await follower.close();
  }
}

/** Loaded when they are asked for: `--help` needs none of it. */
async function kindsOf(flags: SinkFlags): Promise<SinkKind[]> {
  const kinds: SinkKind[] = [];
  const { tensorboard, mlflow, mlflowExperiment } = flags;
  if (tensorboard !== undefined) {
    const { tensorboardSink } = await import("./tensorboard-sink.js");
    kinds.push(tensorboardSink(tensorboard === true ? undefined : tensorboard));
  }
  if (mlflow !== undefined) {
    const { mlflowSink } = await import("./mlflow-sink.js");
    const experiment = mlflowExperiment === undefined ? {} : { experiment: mlflowExperiment };
    kinds.push(mlflowSink({ url: mlflow, ...experiment }));
  }
  return kinds;
}
