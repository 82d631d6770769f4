import { Metadata, status as Status } from "@grpc/grpc-js";
import { ERROR_CODES, StagecraftError } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { DETAILS_KEY, errorFromStatus, statusFromError } from "./status.js";

const received = (code: Status, details = "x", metadata = new Metadata()) =>
  Object.assign(new Error(details), { code, details, metadata });

describe("statusFromError() and errorFromStatus()", () => {
  for (const code of ERROR_CODES) {
    it(`bring ${code} through unchanged`, () => {
      const sent = new StagecraftError(code, "why", { details: { field: "a" } });
      const { code: status, details, metadata } = statusFromError(sent, "id");
      const back = errorFromStatus(received(status, details, metadata), "/m", false);
      expect(back).toMatchObject({ code, reason: "why", details: { field: "a" } });
    });
  }

  it("take a cancellation nobody asked for as a lost connection", () => {
    expect(errorFromStatus(received(Status.CANCELLED), "/m", false).code).toBe("unavailable");
    expect(errorFromStatus(received(Status.CANCELLED), "/m", true).code).toBe("cancelled");
  });

  it("map statuses we never send", () => {
    expect(errorFromStatus(received(Status.UNKNOWN), "/m", false).code).toBe("internal");
    expect(errorFromStatus(received(Status.OUT_OF_RANGE), "/m", false).code).toBe(
      "invalid_argument",
    );
  });

  it("survive details that are not ours", () => {
    for (const text of ["{", "[1]", "null", "7"]) {
      const metadata = new Metadata();
      metadata.set(DETAILS_KEY, Buffer.from(text));
      expect(errorFromStatus(received(Status.ABORTED, "x", metadata), "/m", false).details).toEqual(
        {},
      );
    }
  });
});
