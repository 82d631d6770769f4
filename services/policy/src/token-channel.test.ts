import { describe, expect, it, vi } from "vitest";
import { StagecraftError } from "@stagecraft/core";
import type { TokenChunk } from "./engine.js";
import { createTokenChannel } from "./token-channel.js";

const chunk = (tokenIds: number[], change: Partial<TokenChunk> = {}): TokenChunk => ({
  ...{ tokenIds, logProbs: tokenIds.map((id) => -id), weightVersions: tokenIds.map(() => 3) },
  ...{ tops: undefined, finishReason: undefined, text: undefined, ...change },
});
const END = { finishReason: "stop", text: "all" } as const;

function rig() {
  const onAbandon = vi.fn();
  const channel = createTokenChannel(onAbandon);
  return { onAbandon, channel, reader: channel.chunks()[Symbol.asyncIterator]() };
}

describe("createTokenChannel()", () => {
  it("hands a chunk to the reader that waits, and what gathered meanwhile to the next asking as one", async () => {
    const { channel, reader, onAbandon } = rig();
    const first = reader.next();
    channel.push(chunk([1]));
    channel.push(chunk([2], { tops: [[{ id: 9, logProb: -1 }]] }));
    channel.push(chunk([3, 4], { tops: [[], []], ...END }));
    expect((await first).value).toEqual(chunk([1]));
    const rest = { tops: [[{ id: 9, logProb: -1 }], [], []], ...END };
    expect((await reader.next()).value).toEqual(chunk([2, 3, 4], rest));
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    await reader.return!();
    expect(onAbandon).not.toHaveBeenCalled();
  });

  it("tells a failure behind the tokens before it, once", async () => {
    const { channel, reader, onAbandon } = rig();
    const error = new StagecraftError("unavailable", "gone");
    channel.push(chunk([1]));
    channel.fail(error);
    channel.fail(new StagecraftError("internal", "later"));
    expect((await reader.next()).value).toEqual(chunk([1]));
    await expect(reader.next()).rejects.toBe(error);
    expect((await reader.next()).done).toBe(true);
    await reader.return!();
    expect(onAbandon).not.toHaveBeenCalled();
  });

  it("fails a reader that waits", async () => {
    const { channel, reader } = rig();
    const waiting = reader.next();
    const error = new StagecraftError("unavailable", "gone");
    channel.fail(error);
    await expect(waiting).rejects.toBe(error);
    expect((await reader.next()).done).toBe(true);
  });

  it("says once that a reader left, ends his waiting, and keeps nothing for him", async () => {
    const { channel, reader, onAbandon } = rig();
    const waiting = reader.next();
    await reader.return!();
    await reader.return!();
    expect(onAbandon).toHaveBeenCalledTimes(1);
    channel.push(chunk([1]));
    expect((await waiting).done).toBe(true);
    expect((await reader.next()).done).toBe(true);
  });
});
