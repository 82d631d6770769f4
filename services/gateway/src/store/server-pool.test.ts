import { describe, expect, it } from "vitest";
import { openServerPool } from "./server-pool.js";

const open = (url: string, allowPlaintext = false) =>
  openServerPool(url, { size: 1, allowPlaintext });

describe("openServerPool()", () => {
  it.each([
    ["postgres://db.example/s", "db.example in plaintext"],
    ["postgres://db.example/s?sslmode=prefer", "db.example in plaintext"],
    ["postgres://db.example/s?sslmode=no-verify", "no proof of who it is"],
    ["postgres://db.example/s?sslmode=VERIFY-FULL", "in plaintext"],
    ["postgres://127.0.0.1/s?host=db.example", "db.example in plaintext"],
    ["postgres:///s?host=db.example", "db.example in plaintext"],
    ["mysql://127.0.0.1/s", "no URL of PostgreSQL"],
  ])("refuses %s", (url, said) => {
    expect(() => open(url)).toThrow(said);
  });

  it.each([
    "postgres://127.0.0.1/s",
    "postgres:///s",
    "postgres:///s?host=/run/postgresql",
    "postgres://db.example/s?sslmode=verify-full",
  ])("opens %s", async (url) => {
    await open(url).end();
  });
});
