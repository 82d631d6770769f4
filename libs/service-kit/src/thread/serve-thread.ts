import { StagecraftError } from "@stagecraft/core";
import { watchHeap, type Metrics } from "@stagecraft/telemetry";
import { parentPort, workerData, type MessagePort, type Transferable } from "node:worker_threads";
import { forwardMetrics } from "./forward-metrics.js";
import {
  BEAT_MS,
  fromPlainError,
  toPlainError,
  type FromThread,
  type ToThread,
} from "./messages.js";

/** Methods of a thread: one plain argument, a plain answer. */
// Any function type fits; the owner's and the thread's side share one interface.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type ThreadApi = Record<string, (args: any) => Promise<unknown>>;

/** The thread's side of an api: each method also hears when its caller no longer wants the answer. */
export type ThreadHandlers<Api extends ThreadApi> = {
  [K in keyof Api]: (
    args: Parameters<Api[K]>[0],
    signal: AbortSignal,
  ) => Promise<Awaited<ReturnType<Api[K]>> | Moved<Awaited<ReturnType<Api[K]>>>>;
};

export interface ThreadContext<Data, Event, Question> {
  /** What the owner started the thread with. */
  data: Data;
  emit(event: Event): void;
  /** Resolves when the owner agrees; throws what it throws. */
  ask(question: Question): Promise<void>;
  /** Kept by the owner: nobody scrapes a thread. */
  metrics: Metrics;
}

export interface ServedThread<Api extends ThreadApi, Facts> {
  /** Told to the owner when the thread is ready. */
  facts: Facts;
  handlers: ThreadHandlers<Api>;
  /** Frees everything; the thread ends afterwards. */
  close(): Promise<void>;
}

/** An answer whose buffers change hands instead of being copied. */
export class Moved<T> {
  constructor(
    readonly value: T,
    readonly buffers: readonly Transferable[],
  ) {}
}

/**
 * To be called once by the module that a thread runs: sets it up, then answers its owner. What the
 * set-up throws is thrown by `startThread`.
 */
export function serveThread<
  Data,
  Api extends ThreadApi,
  Facts = undefined,
  Event = never,
  Question = never,
>(
  setUp: (context: ThreadContext<Data, Event, Question>) => Promise<ServedThread<Api, Facts>>,
): void {
  const port = parentPort;
  if (!port) throw new StagecraftError("failed_precondition", "this module runs as a thread only");
  const post = (message: FromThread, buffers: readonly Transferable[] = []) =>
    port.postMessage(message, [...buffers]);
  const beat = setInterval(() => post({ kind: "beat" }), BEAT_MS);
  const context = {
    data: workerData as Data,
    emit: (event: Event) => post({ kind: "event", event }),
    ask: createAsker<Question>(port, post),
    metrics: forwardMetrics((sample) => post({ kind: "sample", sample })),
  };
  watchHeap(context.metrics, "worker");
  setUp(context).then(
    (served) => {
      answer(port, served, post);
      post({ kind: "ready", facts: served.facts });
    },
    (thrown: unknown) => {
      clearInterval(beat);
      post({ kind: "error", id: 0, error: toPlainError(thrown) });
    },
  );
}

function createAsker<Question>(port: MessagePort, post: (message: FromThread) => void) {
  const asked = new Map<number, (error: StagecraftError | undefined) => void>();
  let lastId = 0;
  port.on("message", (message: ToThread) => {
    if (message.kind !== "reply") return;
    asked.get(message.id)?.(message.error && fromPlainError(message.error));
    asked.delete(message.id);
  });
  return (question: Question) =>
    new Promise<void>((resolve, reject) => {
      const id = ++lastId;
      asked.set(id, (error) => (error ? reject(error) : resolve()));
      post({ kind: "ask", id, question });
    });
}

/** Of what was told: nobody waits for it. */
const NEVER = new AbortController().signal;

function answer<Api extends ThreadApi, Facts>(
  port: MessagePort,
  { handlers, close }: ServedThread<Api, Facts>,
  post: (message: FromThread, buffers?: readonly Transferable[]) => void,
): void {
  const running = new Map<number, AbortController>();
  const call = async ({ id, method, args }: ToThread & { kind: "call" }) => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const answered = await handlers[method]!(args as never, controller.signal);
      const moved = answered instanceof Moved ? answered : new Moved<unknown>(answered, []);
      post({ kind: "result", id, value: moved.value }, moved.buffers);
    } catch (thrown) {
      post({ kind: "error", id, error: toPlainError(thrown) });
    } finally {
      running.delete(id);
    }
  };
  port.on("message", (message: ToThread) => {
    switch (message.kind) {
      case "call":
        void call(message);
        break;
      case "tell":
        void handlers[message.method]!(message.args as never, NEVER); // what it throws ends the thread
        break;
      case "cancel":
        running
          .get(message.id)
          ?.abort(
            new StagecraftError("cancelled", "the caller cancelled", { details: message.details }),
          );
        break;
      case "reply":
        break; // see createAsker()
      case "close":
        void close().finally(() => process.exit()); // of this thread alone
        break;
    }
  });
}
