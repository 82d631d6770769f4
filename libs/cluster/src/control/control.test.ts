import { existsSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { StagecraftError } from "@stagecraft/core";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { clusterLayout } from "../layout.js";
import type { ClusterStatus } from "../status/types.js";
import { connectControl } from "./client.js";
import { serveControl, type ControlHandlers } from "./server.js";

const status = { deployment: "main" } as ClusterStatus;
const ended = [{ name: "rollout-2", how: "drained", exit: "exit code 0", durationMs: 1 } as const];

function handlers(more: Partial<ControlHandlers> = {}): ControlHandlers {
  const both = () => Promise.resolve([...ended]);
  const none = () => Promise.resolve();
  return { status: () => status, scale: both, useRewardModel: none, stop: both, ...more };
}

function post(socketPath: string, path: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: "POST" }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", reject).end(body);
  });
}

describe("the control socket", () => {
  it("answers status, scale and stop, to this user alone", async () => {
    await using dir = await tempDir();
    const layout = clusterLayout(dir.path);
    const asked: unknown[] = [];
    const scale = (...args: unknown[]) => {
      asked.push(args);
      return Promise.resolve([...ended]);
    };
    const server = await serveControl(layout.socket, handlers({ scale }));
    const control = connectControl(layout);
    expect(await control.status()).toEqual(status);
    expect(await control.scale("rollout", 1)).toEqual(ended);
    expect(asked).toEqual([["rollout", 1]]);
    expect(await control.stop()).toEqual(ended);
    expect((await stat(layout.socket)).mode & 0o777).toBe(0o600);
    await server.close();
    expect(existsSync(layout.socket)).toBe(false);
  });

  it("passes errors on with their code, and refuses what makes no sense", async () => {
    await using dir = await tempDir();
    const layout = clusterLayout(dir.path);
    const scale = () => Promise.reject(new StagecraftError("invalid_argument", "count is 0"));
    const server = await serveControl(layout.socket, handlers({ scale }));
    await expect(connectControl(layout).scale("policy", 0)).rejects.toMatchObject({
      code: "invalid_argument",
      reason: "count is 0",
    });
    for (const body of ["", "[", '"x"', '{"service":"trainer","count":2}']) {
      expect(await post(layout.socket, "/scale", body)).toBe(400);
    }
    expect(await post(layout.socket, "/status", "{}")).toBe(404);
    await server.close();
  });

  it("says that no cluster runs, and replaces the socket of a killed one", async () => {
    await using dir = await tempDir();
    const layout = clusterLayout(dir.path);
    const none = { code: "not_found", message: expect.stringContaining("npm run up") as string };
    await expect(connectControl(layout).status()).rejects.toMatchObject(none);
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(layout.socket, resolve));
    const server = await serveControl(layout.socket, handlers());
    expect(await connectControl(layout).status()).toEqual(status);
    await server.close();
    listener.close();
  });

  it("lies in the folder of temporary files when the path is too long for a socket", async () => {
    await using dir = await tempDir();
    const deep = dir.file("d".repeat(60), "e".repeat(60));
    await mkdir(deep, { recursive: true });
    const layout = clusterLayout(deep);
    expect(layout.socket.startsWith(layout.dir)).toBe(false);
    const server = await serveControl(layout.socket, handlers());
    expect(await connectControl(clusterLayout(deep)).status()).toEqual(status);
    await server.close();
  });
});
