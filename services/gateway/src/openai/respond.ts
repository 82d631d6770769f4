import type { FastifyReply } from "fastify";
import type { policy } from "@stagecraft/contracts";
import { readAnswers, Tally, type ReadOptions, type Usage } from "./answers.js";
import { toErrorResponse } from "./errors.js";
import type { Choice } from "./generation-input.js";
import type { CommonRequest } from "./request-fields.js";
import { createSseStream } from "./sse.js";

/** How one kind of request words its answers. */
export interface AnswerFormat {
  idPrefix: string;
  object: string;
  piecesObject: string;
  whole(choice: Choice, pieces: readonly policy.GenerateResponse[]): object;
  /** Undefined when the piece has nothing to say. */
  piece(choice: Choice, piece: policy.GenerateResponse): object | undefined;
}

export interface RespondOptions extends ReadOptions {
  request: CommonRequest;
  format: AnswerFormat;
  reply: FastifyReply;
  stallMs: number;
  /** Told once, with what has been generated, however it ended. */
  onUsage(usage: Usage): void;
}

/** Header with the names of all weights that answered; on a stream of those that began. */
const WEIGHTS_HEADER = "x-stagecraft-weights";

/** Answers as a whole, or in pieces as they come. */
export async function respond(options: RespondOptions): Promise<unknown> {
  const tally = new Tally();
  try {
    return await (options.request.stream ? inPieces : asWhole)(options, tally);
  } finally {
    options.onUsage(tally.usage());
  }
}

/** The answer is called as the request is, in OpenAI's words. */
function frameOf({ request, format, requestId }: RespondOptions, object: string) {
  const id = format.idPrefix + requestId.replace(/^req_/, "");
  return { id, object, created: Math.floor(Date.now() / 1000), model: request.model };
}

async function asWhole(options: RespondOptions, tally: Tally): Promise<unknown> {
  const { format, choices, reply } = options;
  const pieces = new Map<Choice, policy.GenerateResponse[]>(choices.map((each) => [each, []]));
  await readAnswers(options, (choice, piece) => {
    tally.add(choice, piece);
    pieces.get(choice)!.push(piece);
    return undefined;
  });
  void reply.header(WEIGHTS_HEADER, tally.weights);
  return {
    ...frameOf(options, format.object),
    system_fingerprint: tally.fingerprint,
    choices: choices.map((choice) => format.whole(choice, pieces.get(choice)!)),
    usage: tally.usage(),
  };
}

async function inPieces(options: RespondOptions, tally: Tally): Promise<unknown> {
  const { format, request, reply, stallMs } = options;
  const withUsage = request.stream_options?.include_usage === true;
  const head = JSON.stringify(frameOf(options, format.piecesObject)).slice(0, -1); // once a stream
  const stream = createSseStream(reply.raw, { stallMs });
  const send = (choices: object[], usage: Usage | null) => {
    if (!stream.isOpen) {
      reply.hijack();
      stream.open({ ...headersOf(reply), [WEIGHTS_HEADER]: tally.weights });
    }
    const rest = { system_fingerprint: tally.fingerprint, choices, ...(withUsage && { usage }) };
    return stream.send(`${head},${JSON.stringify(rest).slice(1)}`);
  };
  try {
    await readAnswers(options, (choice, piece) => {
      tally.add(choice, piece);
      const part = format.piece(choice, piece);
      return part && send([part], null);
    });
    if (withUsage) await send([], tally.usage());
    await stream.send("[DONE]");
  } catch (error) {
    if (!stream.isOpen) throw error;
    // The status has left: clients take an event with an error for one.
    if (!reply.raw.destroyed) void stream.send(JSON.stringify(toErrorResponse(error).body));
  }
  stream.end();
  return reply;
}

function headersOf(reply: FastifyReply): Record<string, string> {
  const entries = Object.entries(reply.getHeaders());
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}
