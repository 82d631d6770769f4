import { existsSync } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { connect, type AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import {
  closeTo,
  createFaultProxy,
  describeDifference,
  expectAllclose,
  gate,
  hasNatsServer,
  NATS_MISSING,
  startNatsServer,
  servingAddress,
  startProcess,
  tempDir,
  waitFor,
} from "./index.js";

describe("allclose", () => {
  it("accepts differences within atol + rtol · |expected| and no larger", () => {
    expect(closeTo(1.1, 1, { rtol: 0, atol: 0.11 })).toBe(true);
    expect(closeTo(1.1, 1, { rtol: 0, atol: 0.09 })).toBe(false);
    expect(closeTo(1100, 1000, { rtol: 0.1, atol: 1 })).toBe(true);
    expect(closeTo(NaN, NaN)).toBe(true);
    expect(closeTo(Infinity, Infinity)).toBe(true);
    expect(closeTo(NaN, 1)).toBe(false);
    expect(closeTo(Infinity, 1)).toBe(false);
    expect(closeTo(1, Infinity)).toBe(false);
  });

  it("names the worst element, and lengths that differ", () => {
    expect(describeDifference([1, 2, 9], [1, 3, 3])).toBe(
      "2 of 3 differ; worst at [2]: 9 instead of 3 (off by 6)",
    );
    expect(describeDifference([NaN, 5], [0, 0])).toContain("worst at");
    expect(describeDifference([1], [1, 2])).toBe("lengths differ: 1 and 2");
    expect(() => expectAllclose([1], [2])).toThrow("1 of 1 differ");
    expectAllclose(Float32Array.of(0.1), [0.1]);
  });
});

describe("waitFor()", () => {
  it("returns what the condition gave, also after throws", async () => {
    let n = 0;
    const value = await waitFor(() => {
      if (++n < 3) throw new Error("not yet");
      return n;
    });
    expect(value).toBe(3);
  });

  it("times out with the last reason", async () => {
    const never = waitFor(() => Promise.reject(new Error("still 2")), {
      timeoutMs: 20,
      what: "three",
    });
    await expect(never).rejects.toThrow("three did not hold within 20 ms: still 2");
  });
});

describe("servingAddress()", () => {
  const start = (code: string) => startProcess(process.execPath, ["-e", code]);

  it("is known once the log says that the service serves", async () => {
    const line = JSON.stringify({ level: "info", port: 1234, msg: "serving" });
    await using service = await start(`console.log('${line}'); setInterval(() => {}, 1000)`);
    expect(await servingAddress(service, "policy")).toBe("127.0.0.1:1234");
  });

  it("is refused with the last words of a service that ends before", async () => {
    await using service = await start("console.log('no such model'); process.exitCode = 1");
    await expect(servingAddress(service, "policy")).rejects.toThrow(/policy ended: no such model/);
  });
});

describe("tempDir()", () => {
  it("is gone afterwards with all it held", async () => {
    let path: string;
    {
      await using dir = await tempDir();
      path = dir.path;
      await writeFile(dir.file("a"), "x");
    }
    await expect(access(path)).rejects.toThrow("ENOENT");
  });
});

describe("startProcess()", () => {
  it("collects output and exit code, and kills on disposal", async () => {
    const done = await startProcess(process.execPath, ["-e", "console.log('hi'); process.exit(3)"]);
    expect(await done.exited).toBe(3);
    await waitFor(() => done.output() === "hi\n");
    let exited: Promise<number | NodeJS.Signals>;
    {
      await using endless = await startProcess(process.execPath, ["-e", "setInterval(()=>{},1e6)"]);
      exited = endless.exited;
    }
    expect(await exited).toBe("SIGKILL");
    await expect(startProcess("/no/such/program", [])).rejects.toThrow("ENOENT");
  });
});

const BUILT = new URL("../dist/index.js", import.meta.url);

describe.skipIf(!existsSync(BUILT))("startProcess() in a process that ends", () => {
  const ENDS = { exits: "process.exit(0);", "is killed": 'process.kill(process.pid, "SIGKILL");' };
  it.each(Object.entries(ENDS))("leaves no child behind when it %s", async (_, end) => {
    const script = `
      const { startProcess } = await import(${JSON.stringify(BUILT.href)});
      const ended = await startProcess(process.execPath, ["-e", "0"]);
      await ended.exited;
      const child = await startProcess(process.execPath, ["-e", "setInterval(() => {}, 1e6)"]);
      console.log("pid " + child.pid);
      ${end}`;
    const parent = await startProcess(process.execPath, ["--input-type=module", "-e", script]);
    await parent.exited;
    const pid = Number(/pid (\d+)/.exec(parent.output())?.[1]);
    const isGone = () => !existsSync(`/proc/${pid}`);
    if (existsSync("/proc/self")) await waitFor(isGone, { what: `the end of process ${pid}` });
    else expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});

describe("createFaultProxy()", () => {
  it("forwards, stalls, flows on and cuts", async () => {
    const echo = createServer((socket) => socket.pipe(socket).on("error", () => undefined));
    echo.listen(0, "127.0.0.1");
    await once(echo, "listening");
    {
      await using proxy = await createFaultProxy((echo.address() as AddressInfo).port);
      const socket = connect(proxy.port, "127.0.0.1");
      const received: string[] = [];
      socket.on("data", (chunk: Buffer) => received.push(chunk.toString()));
      const closed = gate();
      socket.on("error", () => undefined).on("close", () => closed.open());
      socket.write("a");
      await waitFor(() => received.join("") === "a");
      proxy.stall();
      socket.write("b");
      // A second connection shows that the first had its chance.
      await expect(waitFor(() => received.length > 1, { timeoutMs: 100 })).rejects.toThrow();
      proxy.flow();
      await waitFor(() => received.join("") === "ab");
      proxy.cut();
      await closed.opened;
      await waitFor(() => proxy.numConnections() === 0);
    }
    echo.close();
  });
});

describe.skipIf(!hasNatsServer())(`startNatsServer() (skipped when: ${NATS_MISSING})`, () => {
  const greeting = async (port: number) => {
    const socket = connect(port, "127.0.0.1");
    const [data] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    return data.toString();
  };

  it("runs with JetStream on its own port and store, dies, returns, and leaves nothing", async () => {
    let storeDir: string;
    {
      await using server = await startNatsServer();
      storeDir = server.storeDir;
      expect(await greeting(server.port)).toContain('"jetstream":true');
      const { pid } = server;
      await server.kill();
      await expect(greeting(server.port)).rejects.toThrow("ECONNREFUSED");
      await server.restart();
      expect(server.pid).not.toBe(pid);
      expect(await greeting(server.port)).toContain('"jetstream":true');
    }
    await expect(access(storeDir)).rejects.toThrow("ENOENT");
  });

  it("shows the server's own words when it cannot start", async () => {
    await expect(startNatsServer({ config: "no_such_option: {" })).rejects.toThrow(
      "exited with 1:\nnats-server: Parse error",
    );
  });
});
