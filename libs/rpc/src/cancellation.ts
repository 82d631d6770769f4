import type { StagecraftError } from "@stagecraft/core";

/**
 * Word that a call is cancelled, without an AbortSignal: making, watching and leaving one costs as much
 * as the rest of a short handler.
 */
export interface Cancellation {
  /** Why; undefined while the call is wanted. */
  readonly reason: StagecraftError | undefined;
  throwIfCancelled(): void;
  /** Calls the listener once, when it happens; never for a call cancelled before. Returns how to stop. */
  onCancelled(listener: (reason: StagecraftError) => void): () => void;
}

/** The side that cancels. */
export interface Cancelling extends Cancellation {
  /** The first reason counts. */
  cancel(reason: StagecraftError): void;
  /** Made when first asked for. */
  readonly signal: AbortSignal;
}

/** Cancels once, at most. */
export function createCancelling(): Cancelling {
  return new LazyCancelling();
}

class LazyCancelling implements Cancelling {
  reason: StagecraftError | undefined;
  private readonly listeners = new Set<(reason: StagecraftError) => void>();
  private controller: AbortController | undefined;

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.reason) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  throwIfCancelled(): void {
    if (this.reason) throw this.reason;
  }

  onCancelled(listener: (reason: StagecraftError) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  cancel(reason: StagecraftError): void {
    if (this.reason) return;
    this.reason = reason;
    this.controller?.abort(reason);
    for (const listener of this.listeners) listener(reason);
    this.listeners.clear();
  }
}
