import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { decimal, whole } from "@stagecraft/fields";
import { z } from "zod";
import { isCancelled, rawStream, StagecraftError } from "@stagecraft/core";
import { EXIT_CODES } from "../app/exit-codes.js";
import type { Assistant } from "../chat/assistant.js";
import { createConversation, type Conversation } from "../chat/conversation.js";
import type { CommandScope } from "../app/command.js";
import { modelArgument, whereTo } from "../models/model-argument.js";
import { addConfigFlags, readConfig } from "../flags/config-flags.js";
import { unsupportedText } from "./serve.js";
import { examplesText } from "./stage-command.js";

const ownOr = (value: number) => `default: the model's generation_config.json, else ${value}`;

const chatSchema = z.strictObject({
  system: z.string().optional().describe("System message that opens the conversation"),
  prompt: z.string().optional().describe("Answer this one message and leave"),
  temperature: decimal({ max: 10 })
    .optional()
    .describe(`0 always takes the likeliest token (${ownOr(0.7)})`),
  topK: whole()
    .optional()
    .describe(`Sample from the K likeliest tokens, 0 = all (${ownOr(0)})`),
  topP: decimal({ max: 1 })
    .optional()
    .describe(`Sample from the likeliest tokens of this mass (${ownOr(1)})`),
  minP: decimal({ max: 1 })
    .optional()
    .describe(`Leave out tokens less likely than this share of the best (${ownOr(0)})`),
  repetitionPenalty: decimal({ min: 0.1, max: 10 })
    .optional()
    .describe(`Above 1 repeats less (${ownOr(1)})`),
  maxNewTokens: whole({ min: 1 })
    .optional()
    .describe(`Longest answer in tokens (${ownOr(256)})`),
  seed: whole({ default: 1 }).describe("Same seed and words, same answers"),
});
type ChatConfig = z.infer<typeof chatSchema>;

const HELP = "/reset forgets the conversation, /exit leaves; Ctrl-C stops an answer";

/** `stagecraft chat MODEL`: streaming answers, history, Ctrl-C. */
export function chatCommand(command: Command, scope: CommandScope): void {
  command
    .argument("<model>", "model directory, s3://BUCKET/NAME or nats://NAME")
    .option("--json", "print each answer as one JSON object a line");
  addConfigFlags(command, chatSchema);
  command.addHelpText("after", examplesText(EXAMPLES));
  command.action(async (modelDir: string, flags: { json?: boolean }) => {
    const config = (await readConfig(chatSchema, command)) as ChatConfig;
    const { isTooLong, loadAssistant } = await import("../chat/assistant.js");
    const assistant = await loadAssistant(await modelArgument(modelDir, whereTo(scope)));
    scope.io.err.write(unsupportedText(assistant.unsupported));
    const chat = new Chat(assistant, config, { scope, json: flags.json === true, isTooLong });
    try {
      await (config.prompt === undefined ? chat.talk() : chat.ask(config.prompt));
    } finally {
      assistant.dispose();
    }
  });
}

const EXAMPLES = [
  "npx stagecraft chat runs/demo/ppo/model",
  'npx stagecraft chat runs/demo/ppo/model --prompt "What does the fox eat?"',
  "npx stagecraft chat /models/some-llama --temperature 0 --json < questions.txt",
];

class Chat {
  private readonly conversation: Conversation;
  private turn = 0;
  private numLeftOut = 0;

  constructor(
    private readonly assistant: Assistant,
    private readonly config: ChatConfig,
    private readonly options: {
      scope: CommandScope;
      json: boolean;
      isTooLong(error: StagecraftError): boolean;
    },
  ) {
    this.conversation = createConversation(config.system);
  }

  /** Reads questions until the input ends, `/exit`, or Ctrl-C at the prompt. */
  async talk(): Promise<void> {
    const { io, signal } = this.options.scope;
    const isInteractive = io.isInteractive && !this.options.json;
    if (isInteractive) io.err.write(`${this.assistant.description}\n${HELP}\n`);
    const lines = createInterface({
      input: io.input,
      ...(isInteractive && { output: rawStream(io.err), prompt: "\nyou> " }),
      terminal: isInteractive,
    });
    signal.addEventListener("abort", () => lines.close(), { once: true });
    if (isInteractive) lines.on("SIGINT", () => lines.close()).prompt();
    for await (const line of lines) {
      if (line.trim() === "/exit") break;
      await this.handle(line.trim(), lines);
      if (isInteractive) lines.prompt();
    }
    lines.close();
    if (isInteractive) io.err.write("\n");
  }

  private async handle(line: string, lines: Interface): Promise<void> {
    const { err } = this.options.scope.io;
    if (line === "") return;
    if (line === "/reset") return this.conversation.reset();
    if (line.startsWith("/")) return void err.write(`${HELP}\n`);
    const stop = new AbortController();
    const onInterrupt = () => stop.abort();
    const closing = lines.listeners("SIGINT") as (() => void)[];
    lines.removeAllListeners("SIGINT").on("SIGINT", onInterrupt);
    try {
      await this.ask(line, stop.signal);
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      if (stop.signal.aborted && isCancelled(error)) err.write(" [stopped]\n");
      else if (this.options.isTooLong(error)) this.refuse(line, error.reason);
      else throw thrown;
    } finally {
      lines.removeListener("SIGINT", onInterrupt);
      for (const listener of closing) lines.on("SIGINT", listener);
    }
  }

  /** The conversation goes on as if the question had not been asked; a script sees it in the exit code. */
  private refuse(question: string, error: string): void {
    const { io, setExitCode } = this.options.scope;
    if (this.options.json) io.out.write(`${JSON.stringify({ question, error })}\n`);
    io.err.write(`[invalid_argument] ${error}\n`);
    if (!io.isInteractive) setExitCode(EXIT_CODES.failure);
  }

  private sayLeftOut(numMessages: number): void {
    if (numMessages === this.numLeftOut) return;
    this.numLeftOut = numMessages;
    const { err } = this.options.scope.io;
    err.write(`(no room for the first ${numMessages} messages any more; they are left out)\n`);
  }

  /** Streams one answer to stdout, or prints it whole as JSON. */
  async ask(question: string, stop?: AbortSignal): Promise<void> {
    const { io, signal } = this.options.scope;
    const { json } = this.options;
    const { system: _, prompt: __, ...given } = this.config;
    const sampling = { ...given, stop: [], seed: given.seed + this.turn++ };
    const answer = await this.conversation.ask(question, (messages) =>
      this.assistant.answer(messages, {
        sampling,
        signal: stop ? AbortSignal.any([signal, stop]) : signal,
        onLeftOut: (numMessages) => this.sayLeftOut(numMessages),
        onText: (text) => void (json || io.out.write(text)),
      }),
    );
    io.out.write(json ? `${JSON.stringify({ question, answer })}\n` : "\n");
  }
}
