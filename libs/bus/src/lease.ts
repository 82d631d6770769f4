import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { KeyValue, KeyValueEntry } from "./bus.js";

/**
 * The right to write, held by one process at a time. Its number only grows, so that everything a
 * holder writes can be told from what a later one writes.
 */
export interface Lease extends AsyncDisposable {
  readonly epoch: number;
  /** Fires with the error when somebody else has taken over. */
  readonly lost: AbortSignal;
  /**
   * Resolves when nobody else can have waited the lease out before now; asks the broker when the last
   * answer is older than that, or always when `fresh`, however long it takes. Throws `aborted` when
   * somebody has taken over.
   */
  confirm(options?: { signal?: AbortSignal; fresh?: boolean }): Promise<void>;
  /** Lets the next one in at once. */
  release(): Promise<void>;
}

export interface LeaseOptions {
  key: string;
  /** Who holds it, shown to others and given to their `isGone`. */
  holder: string;
  /** Without a renewal for so long a holder may be replaced; default 10 s. It renews three times in it. */
  ttlMs?: number;
  /** Replace a living holder at once; it is told and stops. Default false: wait for its end. */
  takeOver?: boolean;
  /** Whether a holder is certainly dead, so that its lease need not run out; default never. */
  isGone?(holder: string): Promise<boolean>;
  signal?: AbortSignal;
  logger?: Logger;
}

interface Claim {
  epoch: number;
  holder: string;
  /** Tells one holder from another of the same name. */
  token: string;
  ttlMs: number;
  released?: boolean;
}

const POLL_MS = 250;
/** The broker is away: it is asked again after this. */
const RETRY_MS = 200;

/**
 * Waits for the lease of a key and holds it until released, by compare-and-set on the key's revision.
 * Time is measured on each process's own monotonic clock: a waiting one takes over when the revision
 * has not moved for the holder's `ttlMs`; the holder trusts an answer a tenth less. Throws `cancelled`
 * on the signal.
 */
export async function acquireLease(kv: KeyValue, options: LeaseOptions): Promise<Lease> {
  const { key, holder, ttlMs = 10_000, signal, logger = silentLogger() } = options;
  const token = randomUUID();
  const watched = { revision: -1, sinceMs: 0, told: false };
  for (;;) {
    throwIfAborted(signal);
    // While the broker is away nobody can renew either: the wait starts anew.
    const onRetry = () => (watched.revision = -1);
    const entry = await patiently(() => kv.get(key), { signal, onRetry });
    const current = parseClaim(entry);
    const revision = entry?.revision ?? 0;
    if (revision !== watched.revision) Object.assign(watched, { revision, sinceMs: now() });
    if (current?.token === token || (await isFree(current, watched.sinceMs, options))) {
      const epoch = current?.token === token ? current.epoch : (current?.epoch ?? 0) + 1;
      const claim = { epoch, holder, token, ttlMs };
      const askedAt = now();
      const written = await writeOrUndefined(kv, key, { claim, revision });
      if (written !== undefined) {
        const lease = new HeldLease(kv, key, { claim, revision: written, askedAt, logger });
        logger.info({ epoch, key, replaced: current?.holder }, "lease: held");
        return lease;
      }
      continue;
    }
    if (!watched.told)
      logger.warn({ key, holder: current?.holder }, "lease: waiting for its holder");
    watched.told = true;
    await delay(POLL_MS, undefined, signal ? { signal } : {}).catch(() => throwIfAborted(signal));
  }
}

async function isFree(
  current: Claim | undefined,
  unchangedSince: number,
  { takeOver, isGone }: LeaseOptions,
): Promise<boolean> {
  if (!current || current.released || takeOver) return true;
  if (now() - unchangedSince > current.ttlMs) return true;
  return (await isGone?.(current.holder)) === true;
}

class HeldLease implements Lease {
  private readonly losing = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly claim: Claim;
  private readonly logger: Logger;
  private revision: number;
  private validUntil: number;
  private renewing: Promise<void> | undefined;
  private released = false;

  constructor(
    private readonly kv: KeyValue,
    private readonly key: string,
    start: { claim: Claim; revision: number; askedAt: number; logger: Logger },
  ) {
    this.claim = start.claim;
    this.logger = start.logger;
    this.revision = start.revision;
    this.validUntil = this.validFrom(start.askedAt);
    this.timer = setInterval(() => void this.renew(), this.claim.ttlMs / 3);
    this.timer.unref();
    void this.watch();
  }

  get epoch(): number {
    return this.claim.epoch;
  }

  get lost(): AbortSignal {
    return this.losing.signal;
  }

  async confirm({ signal, fresh = false }: { signal?: AbortSignal; fresh?: boolean } = {}) {
    if (fresh) this.validUntil = 0;
    while (!this.lost.aborted && now() >= this.validUntil) {
      throwIfAborted(signal);
      await this.renew();
      if (now() >= this.validUntil && !this.lost.aborted) await delay(RETRY_MS);
    }
    if (this.lost.aborted) throw this.lost.reason;
  }

  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    clearInterval(this.timer);
    await this.renewing;
    if (this.lost.aborted) return;
    const claim = { ...this.claim, released: true };
    await this.kv.update(this.key, encode(claim), this.revision).catch((error: unknown) => {
      this.logger.warn({ err: error, key: this.key }, "lease: not given back, it will run out");
    });
    this.lose(new StagecraftError("aborted", `lease ${this.key} was given back`));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  private renew(): Promise<void> {
    return (this.renewing ??= this.renewOnce().finally(() => (this.renewing = undefined)));
  }

  private async renewOnce(): Promise<void> {
    const { kv, key, claim } = this;
    const askedAt = now();
    try {
      this.revision = await kv.update(key, encode(claim), this.revision);
      this.validUntil = this.validFrom(askedAt);
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      if (error.code === "aborted") await this.lookWho().catch(() => undefined);
      else this.logger.warn({ err: error, key }, "lease: not renewed");
    }
  }

  /**
   * The revision is not ours: our own renewal whose answer was lost, a broker that was killed and
   * forgot some of them, or a successor.
   */
  private async lookWho(): Promise<void> {
    const entry = await this.kv.get(this.key);
    if (!this.loseTo(parseClaim(entry))) this.revision = entry?.revision ?? 0;
  }

  /** Who takes over without waiting is heard of at once. */
  private async watch(): Promise<void> {
    try {
      for await (const entry of this.kv.watch(this.key, this.lost)) this.loseTo(parseClaim(entry));
    } catch (error) {
      this.logger.warn({ err: error, key: this.key }, "lease: a successor is heard of late");
    }
  }

  /** True when the lease is this claim's and not ours. */
  private loseTo(current: Claim | undefined): boolean {
    const isOurs = current?.token === this.claim.token;
    if (!current || isOurs || current.epoch < this.claim.epoch) return false;
    this.lose(
      new StagecraftError(
        "aborted",
        `${current.holder} has taken over lease ${this.key} as number ${current.epoch} (ours was ${this.claim.epoch}); this process must not write any more`,
        { details: { key: this.key, epoch: current.epoch, holder: current.holder } },
      ),
    );
    return true;
  }

  private lose(reason: StagecraftError): void {
    clearInterval(this.timer);
    this.losing.abort(reason);
  }

  private validFrom(askedAt: number): number {
    return askedAt + 0.9 * this.claim.ttlMs;
  }
}

/** Repeats while the broker is away. */
async function patiently<T>(
  work: () => Promise<T>,
  { signal, onRetry }: { signal: AbortSignal | undefined; onRetry(): void },
): Promise<T> {
  for (;;) {
    throwIfAborted(signal);
    try {
      return await work();
    } catch (thrown) {
      // "not found" is the bucket: a broker that lost its store gets it again from whoever may.
      const { code } = StagecraftError.from(thrown);
      if (code !== "unavailable" && code !== "not_found") throw thrown;
      onRetry();
      await delay(RETRY_MS);
    }
  }
}

/** Undefined when somebody else was faster, or when it is not known: the next look tells. */
async function writeOrUndefined(
  kv: KeyValue,
  key: string,
  { claim, revision }: { claim: Claim; revision: number },
): Promise<number | undefined> {
  try {
    return await kv.update(key, encode(claim), revision);
  } catch (thrown) {
    const { code } = StagecraftError.from(thrown);
    if (code === "aborted" || code === "unavailable") return undefined;
    throw thrown;
  }
}

function parseClaim(entry: KeyValueEntry | undefined): Claim | undefined {
  if (!entry) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(entry.value)) as Claim;
  } catch {
    return undefined; // not ours; a holder could not have written it
  }
}

function encode(claim: Claim): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(claim));
}

function now(): number {
  return performance.now();
}
