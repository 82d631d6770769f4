import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import type { DeadLetter, EventBus } from "@stagecraft/bus";
import { events } from "@stagecraft/contracts";
import { formatBytes, StagecraftError } from "@stagecraft/core";
import { createAuditLog } from "@stagecraft/rpc";
import { silentLogger } from "@stagecraft/telemetry";
import type { CommandScope } from "../app/command.js";
import { UsageError } from "@stagecraft/config";
import { addBusFlags, openBus, readBusConfig } from "../flags/bus-flags.js";
import { alignRows } from "../report/result-text.js";
import { wholeFrom, wholeNumberFlag } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";

const EXAMPLES = [
  "npx stagecraft dead-letters list",
  "npx stagecraft dead-letters show 12 --json",
  "npx stagecraft dead-letters requeue 12 13",
  "npx stagecraft dead-letters requeue --all --subject 'stagecraft.main.prompts'",
];
const PAGE = 500;
const AUDIT_FILE = "audit.jsonl";

interface ListFlags {
  subject?: string;
  limit: number;
  json?: boolean;
}

interface RequeueFlags {
  all?: boolean;
  subject?: string;
  auditFile: string;
  json?: boolean;
}

/** `stagecraft dead-letters`: messages that were given up, looked at and sent on their way again. */
export function deadLettersCommand(command: Command, { io }: CommandScope): void {
  const write = (text: string) => void io.out.write(`${text}\n`);
  const list = addBusFlags(command.command("list"))
    .description("what was given up and why, oldest first")
    .option("--subject <pattern>", "only of this subject, * and > allowed")
    .addOption(wholeNumberFlag("--limit", "at most so many", 100, { min: 1 }))
    .option("--json", "one JSON object a line");
  list.action(async () => {
    const { json, ...which } = list.opts<ListFlags>();
    await using bus = await busOf(list);
    const letters = await bus.deadLetters.list(which);
    if (json) letters.forEach((letter) => write(JSON.stringify(letter)));
    else write(letters.length === 0 ? "no dead letters" : letters.map(listLine).join("\n"));
  });

  const show = addBusFlags(command.command("show"))
    .description("one of them with its content")
    .argument("<number>", "as the list shows it", wholeFrom(1))
    .option("--json", "one JSON object");
  show.action(async (sequence: number) => {
    await using bus = await busOf(show);
    const { data, ...letter } = await bus.deadLetters.show(sequence);
    const content = contentOf(letter, data);
    if (show.opts<ListFlags>().json) return write(JSON.stringify({ ...letter, content }));
    write(`${showText(letter)}\n\n${JSON.stringify(content, null, 2)}`);
  });

  const requeue = addBusFlags(command.command("requeue"))
    .description("publish again to where it came from, and forget it here")
    .argument("[numbers...]", "as the list shows them", addNumber)
    .option("--all", "every one, or those of --subject")
    .option("--subject <pattern>", "with --all: only of this subject")
    .option(
      "--audit-file <file>",
      "who sent what on its way again",
      join(".stagecraft", AUDIT_FILE),
    )
    .option("--json", "one JSON object a line");
  requeue.action(async (given: number[] = []) => {
    const { json, ...which } = requeue.opts<RequeueFlags>();
    if (given.length > 0 === (which.all === true)) {
      throw new UsageError("requeue: name the dead letters by number, or all of them by --all");
    }
    await using bus = await busOf(requeue);
    const audited = requeueAudited(bus, which.auditFile);
    for (const sequence of which.all ? await numbersOf(bus, which.subject) : given) {
      await audited(sequence);
      write(json ? JSON.stringify({ requeued: sequence }) : `${sequence} is on its way again`);
    }
  });
  command.addHelpText("after", examplesText(EXAMPLES));
}

/** Requeues after it is written down who does it, and writes down what became of it. */
export function requeueAudited(bus: Pick<EventBus, "deadLetters">, auditFile: string) {
  mkdirSync(dirname(auditFile), { recursive: true });
  const log = createAuditLog(auditFile, silentLogger());
  const who = { method: "dead-letters requeue", caller: userInfo().username, peer: hostname() };
  return async (sequence: number): Promise<void> => {
    const entry = { ...who, callId: randomUUID(), request: { sequence } };
    log.write({ event: "asked", ...entry });
    const outcome = await bus.deadLetters.requeue(sequence).then(
      () => undefined,
      (thrown: unknown) => StagecraftError.from(thrown),
    );
    log.write({ event: "done", ...entry, code: outcome?.code ?? "ok" });
    if (outcome) throw outcome;
  };
}

function addNumber(text: string, before: number[] = []): number[] {
  return [...before, wholeFrom(1)(text)];
}

async function busOf(command: Command): Promise<EventBus> {
  return openBus(await readBusConfig(command));
}

/** Taken before the first is published again: one that dies anew is not met twice. */
async function numbersOf({ deadLetters }: EventBus, subject?: string): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const after = numbers.at(-1) ?? 0;
    const page = await deadLetters.list({ after, limit: PAGE, ...(subject && { subject }) });
    numbers.push(...page.map(({ sequence }) => sequence));
    if (page.length < PAGE) return numbers;
  }
}

function listLine({ sequence, diedAtMs, subject, delivery, reason }: DeadLetter): string {
  const when = new Date(diedAtMs).toISOString().slice(0, 19).replace("T", " ");
  return `${String(sequence).padStart(6)}  ${when}  ${subject}  delivered ${delivery}×  ${reason}`;
}

function showText(letter: DeadLetter): string {
  const { sequence, reason, subject, id, stream, consumer, delivery, diedAtMs, sizeBytes } = letter;
  return [
    `dead letter ${sequence}`,
    ...alignRows([
      ["reason", reason],
      ["subject", subject],
      ["id", id],
      ["stream", `${stream}, consumer ${consumer}`],
      ["delivered", `${delivery} times, given up ${new Date(diedAtMs).toISOString()}`],
      ["size", formatBytes(sizeBytes)],
    ]),
  ].join("\n");
}

/** As JSON by what the subject carries; what does not decode, which may be why it died, as base64. */
function contentOf({ subject }: DeadLetter, data: Uint8Array): unknown {
  const codec = subject.endsWith(".prompts")
    ? events.PromptTask
    : subject.endsWith(".rollouts")
      ? events.Rollout
      : undefined;
  try {
    if (codec) return codec.toJSON(codec.decode(data) as never);
  } catch (thrown) {
    const { reason } = StagecraftError.from(thrown);
    return { base64: Buffer.from(data).toString("base64"), problem: reason };
  }
  return { base64: Buffer.from(data).toString("base64") };
}
