import { describe, expect, it } from "vitest";
import { createDoneTasks } from "./done-tasks.js";

describe("createDoneTasks()", () => {
  it("takes all before the first that was asked for as done, each kind by itself", () => {
    const done = createDoneTasks();
    expect(done.has("u000003-000001")).toBe(false);
    expect(done.begin("u000004-000000")).toBe(true);
    expect(done.begin("u000004-000001")).toBe(false);
    const facts = { "u000003-000009": true, "u000004-000000": false, "e000003-000000": false };
    for (const [id, expected] of Object.entries(facts)) expect(done.has(id), id).toBe(expected);
  });

  it("takes all up to the last that was committed as done", () => {
    const done = createDoneTasks();
    for (const id of ["u000000-000002", "u000000-000001"]) done.finish(id);
    expect(done.has("u000000-000000")).toBe(true);
    expect(done.has("u000000-000002")).toBe(true);
    expect(done.has("u000001-000000")).toBe(false);
  });
});
