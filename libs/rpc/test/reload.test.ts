import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { createLogger } from "@stagecraft/telemetry";
import { makeCertificates, shownCertificate, tempDir, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createCallers } from "../src/callers.js";
import { echoClient, startEcho } from "./echo-service.js";

/** Certificates of two authorities; `files` is the folder that is in use. */
async function startWorld() {
  const dir = await tempDir();
  const at = (...parts: string[]) => [dir.path, ...parts].join("/");
  for (const name of ["old", "new", "files"]) await mkdir(at(name));
  for (const name of ["old", "new"]) makeCertificates(at(name));
  const use = async (from: string, ...names: string[]) => {
    for (const name of names) await copyFile(at(from, name), at("files", name));
  };
  await use("old", "ca.crt", "server.crt", "server.key", "client.crt", "client.key");
  const file = (name: string) => at("files", name);
  const server = { certFile: file("server.crt"), keyFile: file("server.key") };
  return { at, use, file, server, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

describe("certificates that are renewed under a running server", () => {
  it("are shown to new connections, trusted by clients, and cut nobody off", async () => {
    await using world = await startWorld();
    await using echo = await startEcho(
      {},
      { server: { tls: world.server }, client: { tls: { caFile: world.file("ca.crt") } } },
    );
    await using late = echoClient(echo.port, { tls: { caFile: world.file("ca.crt") } });
    expect(await echo.client.say({ text: "old" })).toEqual({ text: "old" });
    const before = await shownCertificate(echo.port);
    await world.use("new", "server.crt", "server.key", "ca.crt");
    await waitFor(async () => (await shownCertificate(echo.port)) !== before);
    expect(await late.say({ text: "new" })).toEqual({ text: "new" });
    expect(await echo.client.say({ text: "still" })).toEqual({ text: "still" });
    await using stranger = echoClient(echo.port, { tls: { caFile: world.at("old", "ca.crt") } });
    await expect(stranger.say({ text: "" })).rejects.toMatchObject({ code: "unavailable" });
  });

  it("stay as they were while only half of a renewal is there, which is told", async () => {
    await using world = await startWorld();
    const lines: string[] = [];
    const logger = createLogger({
      service: "t",
      destination: { write: (line) => lines.push(line) },
    });
    await using echo = await startEcho({}, { server: { tls: world.server, logger } });
    const before = await shownCertificate(echo.port);
    await world.use("new", "server.key");
    await waitFor(() => lines.some((line) => line.includes("is not the key of its certificate")));
    expect(await shownCertificate(echo.port)).toBe(before);
    await writeFile(world.file("server.key"), "rubbish");
    await waitFor(() => lines.some((line) => line.includes("is not a PEM file")));
    expect(await shownCertificate(echo.port)).toBe(before);
    await world.use("new", "server.crt", "server.key");
    await waitFor(async () => (await shownCertificate(echo.port)) !== before);
  });

  it("of a client and of the authority it must come from are followed too", async () => {
    await using world = await startWorld();
    const clientCaFile = world.file("ca.crt");
    await world.use("new", "client.crt", "client.key");
    const caFile = world.at("old", "ca.crt");
    const files = { certFile: world.file("client.crt"), keyFile: world.file("client.key") };
    await using echo = await startEcho(
      {},
      { server: { tls: { ...world.server, clientCaFile } }, client: { tls: { caFile, ...files } } },
    );
    await expect(echo.client.say({ text: "" })).rejects.toMatchObject({ code: "unavailable" });
    await world.use("old", "client.crt", "client.key");
    const said = () => echo.client.say({ text: "in" }, { timeoutMs: 2000 }).catch(() => undefined);
    await waitFor(async () => (await said())?.text === "in");
  });

  it("must be right at the start", async () => {
    await using world = await startWorld();
    await world.use("new", "server.key");
    await expect(startEcho({}, { server: { tls: world.server } })).rejects.toThrow(
      "is not the key",
    );
    await writeFile(world.file("server.crt"), "rubbish");
    await expect(startEcho({}, { server: { tls: world.server } })).rejects.toThrow(
      "is not a PEM file",
    );
    expect((await readFile(world.file("server.crt"))).length).toBe(7);
  });
});

describe("tokens that are renewed under a running server", () => {
  it("count at once; a list that is wrong changes nothing", () => {
    let tokens = ["first-token-000000"];
    const callers = createCallers({ tokens: () => tokens });
    const knock = (token: string) =>
      callers.identify({ authorization: `Bearer ${token}`, commonName: undefined }).name;
    expect(knock("first-token-000000")).toBe("token-1");
    tokens = ["first-token-000000", "bob=score:second-token-00000"];
    expect(knock("second-token-00000")).toBe("bob");
    tokens = ["bob=score:second-token-00000"];
    expect(() => knock("first-token-000000")).toThrow("[unauthenticated]");
    for (const wrong of [[], ["short"], ["bob=fly:second-token-00000"]]) {
      tokens = wrong;
      expect(knock("second-token-00000")).toBe("bob");
    }
  });

  it("are shown by a running client from its next call on", async () => {
    let shown = "wrong-token-000000";
    const auth = { tokens: ["right-token-000000"] };
    await using echo = await startEcho({}, { server: { auth }, client: { token: () => shown } });
    await expect(echo.client.say({ text: "" })).rejects.toMatchObject({ code: "unauthenticated" });
    shown = "right-token-000000";
    expect(await echo.client.say({ text: "in" })).toEqual({ text: "in" });
  });
});
