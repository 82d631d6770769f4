import type { DestinationStream } from "pino";

const HIDDEN = new Set(["time", "level", "service", "msg", "err"]);

/** Turns JSON log lines into `12:34:56 warn  policy: text key=value`; passes anything else through. */
export function createPrettyStream(target: DestinationStream): DestinationStream {
  return { write: (line) => target.write(prettyLine(line)) };
}

/** One log record for a person; the stack of an error follows on its own lines. */
function prettyLine(line: string): string {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const fields = Object.entries(record)
    .filter(([name]) => !HIDDEN.has(name))
    .map(
      ([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
  const time = String(record["time"] ?? "").slice(11, 19);
  const level = String(record["level"] ?? "").padEnd(5);
  const error = record["err"] as { stack?: string } | undefined;
  const stack = error?.stack ? `\n${error.stack}` : "";
  return `${time} ${level} ${String(record["service"])}: ${String(record["msg"] ?? "")}${fields.join("")}${stack}\n`;
}
