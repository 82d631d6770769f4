import { StagecraftError } from "@stagecraft/core";

/** What one key may use; absent = no limit of its own. */
export interface KeyLimits {
  requestsPerMinute?: number;
  /** Prompts and answers together. */
  tokensPerMinute?: number;
  /** Requests at the same time. */
  concurrent?: number;
}

/** A request that was let in. */
export interface Admitted {
  /** Counts what it has used. */
  spend(numTokens: number): void;
  /** It is over; once. */
  leave(): void;
}

/** Counts requests and tokens by caller. */
export interface KeyUsage {
  /** Throws `resource_exhausted` that says what is used up and when to come back. */
  enter(name: string, limits: KeyLimits | undefined): Admitted;
}

const MINUTE_MS = 60_000;

interface Account {
  active: number;
  /** Start of the minute that is counted. */
  since: number;
  requests: number;
  tokens: number;
}

/** Minutes begin with a caller's first request in them. Tokens are counted when they are known. */
export function createKeyUsage(now: () => number = Date.now): KeyUsage {
  const accounts = new Map<string, Account>();
  const accountOf = (name: string): Account => {
    const account = accounts.get(name) ?? { active: 0, since: -Infinity, requests: 0, tokens: 0 };
    accounts.set(name, account);
    if (now() - account.since >= MINUTE_MS) {
      Object.assign(account, { since: now(), requests: 0, tokens: 0 });
    }
    return account;
  };
  return {
    enter(name, limits) {
      const account = accountOf(name);
      const { concurrent, requestsPerMinute, tokensPerMinute } = limits ?? {};
      const waitMs = account.since + MINUTE_MS - now();
      if (account.active >= (concurrent ?? Infinity)) {
        throw usedUp(`${concurrent} requests at the same time`, 1000);
      }
      if (account.requests >= (requestsPerMinute ?? Infinity)) {
        throw usedUp(`${requestsPerMinute} requests a minute`, waitMs);
      }
      if (account.tokens >= (tokensPerMinute ?? Infinity)) {
        throw usedUp(`${tokensPerMinute} tokens a minute`, waitMs);
      }
      account.active++;
      account.requests++;
      return {
        spend: (numTokens) => void (accountOf(name).tokens += numTokens),
        leave: () => void account.active--,
      };
    },
  };
}

function usedUp(limit: string, waitMs: number): StagecraftError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new StagecraftError(
    "resource_exhausted",
    `this key's limit of ${limit} is reached; try again in ${seconds} s`,
    { details: { retryAfterSeconds: seconds } },
  );
}
