import { createHash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

/** 256 random bits for a link, a session or a key; only its hash is stored. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** For secrets that are random and long: they need no slow hash. */
export function hashOfSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/** Compares without telling by its time how much is equal. */
export function isSameSecret(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashOfSecret(a)), Buffer.from(hashOfSecret(b)));
}

const COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
const KEY_LENGTH = 32;
const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** scrypt with a salt of its own: `scrypt$SALT$KEY`. */
export async function hashOfPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password.normalize("NFKC"), salt, KEY_LENGTH, COST);
  return `scrypt$${salt.toString("base64url")}$${key.toString("base64url")}`;
}

/** Takes as long for somebody without a password (null) as for others. */
export async function isPassword(password: string, stored: string | null): Promise<boolean> {
  const [, salt = "", key = ""] = (stored ?? NOBODY).split("$");
  const expected = Buffer.from(key, "base64url");
  const given = await derive(
    password.normalize("NFKC"),
    Buffer.from(salt, "base64url"),
    KEY_LENGTH,
    COST,
  );
  return timingSafeEqual(given, expected) && stored !== null;
}

const NOBODY = `scrypt$${"A".repeat(22)}$${Buffer.alloc(KEY_LENGTH).toString("base64url")}`;
