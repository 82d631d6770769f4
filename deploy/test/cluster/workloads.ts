import { expect } from "vitest";

/** What makes pods, by kind and name. */
export type Workloads = Readonly<Record<string, unknown>>;

/** Every workload of `own` is among `changed` exactly so, with nothing left over in it; others may stand beside. */
export function expectSameWorkloads(changed: Workloads, own: Workloads): void {
  for (const key of Object.keys(own)) expect(changed[key], key).toEqual(own[key]);
}
