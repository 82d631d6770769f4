import { createRandom, type Random } from "@stagecraft/core";
import type { PagesClient } from "@stagecraft/testing";
import { expect, it } from "vitest";
import { startPeople } from "./people.js";

/** Somebody at a gateway that is away and stays away. */
function lost(onCall: () => void): PagesClient {
  const call = () => {
    onCall();
    return Promise.reject(new Error("no connection"));
  };
  return { call } as unknown as PagesClient;
}

it("people stop asking when a strike throws while the gateway is away", async () => {
  let numCalls = 0;
  const person = lost(() => numCalls++);
  const random: Random = createRandom(1);
  const strike = async () => {
    await using people = startPeople({ raters: [person], writer: person }, random);
    await expect(people.answered(1, 1)).rejects.toThrow("1 more acknowledged");
    throw new Error("the gateway does not come back");
  };
  await expect(strike()).rejects.toThrow("does not come back");
  const atEnd = numCalls;
  expect(atEnd).toBeGreaterThan(0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(numCalls).toBe(atEnd);
});
