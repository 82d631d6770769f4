import { setTimeout as delay } from "node:timers/promises";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { createSerialQueue } from "@stagecraft/core";
import type { ClusterLayout } from "./layout.js";
import type { ClusterEvent, ResolvedOptions, ScalableService, ServiceName } from "./options.js";
import type { RememberedProcess } from "./orphans.js";
import { createDiskWatch, freeBytes } from "./nats.js";
import { choosePorts, type Ports } from "./ports.js";
import { grpcProbe, natsProbe } from "./probe.js";
import { clusterMark, serviceInvocation } from "./programs.js";
import {
  superviseProcess,
  type ProcessInfo,
  type ProcessSpec,
  type StopOutcome,
  type SupervisedProcess,
} from "./supervised-process.js";

/** Clients read address files four times a second; a server leaves after they have. */
const NOTICE_MS = 600;

/** All processes of a cluster. */
export interface Fleet {
  processes(): ProcessInfo[];
  /** `ip:port` of every process of a service that takes calls. */
  addresses(service: ServiceName): string[];
  startNats(program: string, configFile: string, ports: Ports): Promise<void>;
  startTrainer(): Promise<void>;
  startGateway(): Promise<void>;
  /** Resolves when the new ones serve, or the surplus ones have drained. */
  scale(service: ScalableService, count: number): Promise<StopOutcome[]>;
  /** Whatever came from outside ends first, the broker last. */
  stop(): Promise<StopOutcome[]>;
}

export interface FleetOptions {
  options: ResolvedOptions;
  layout: ClusterLayout;
  natsUrl: string;
  onEvent(event: ClusterEvent): void;
}

/** Nothing runs yet. */
export function createFleet(options: FleetOptions): Fleet {
  return new ProcessFleet(options);
}

interface Member {
  service: ServiceName | "nats";
  index: number;
  /** Listed for clients. */
  listed: boolean;
  process: SupervisedProcess;
}

const STOP_ORDER: readonly (readonly Member["service"][])[] = [
  ["rollout", "gateway"],
  ["trainer"],
  ["policy", "reward-model"],
  ["nats"],
];

class ProcessFleet implements Fleet {
  private readonly members = new Map<string, Member>();
  private readonly writes = createSerialQueue();

  constructor(private readonly given: FleetOptions) {}

  processes(): ProcessInfo[] {
    return [...this.members.values()].map(({ process }) => process.info());
  }

  addresses(service: Member["service"]): string[] {
    const listed = this.membersOf(service).filter((member) => member.listed);
    return listed.map(({ process }) => `127.0.0.1:${process.info().port}`);
  }

  async startNats(program: string, configFile: string, ports: Ports): Promise<void> {
    const { process } = this.launch("nats", 0, {
      ports,
      invocation: () => ({ program, args: ["-c", configFile] }),
      probe: natsProbe,
      lifeline: "stdin",
      restartReason: createDiskWatch({
        freeBytes: () => freeBytes(this.given.layout.nats),
        onFull: () =>
          this.tell("error", "nats", "its disk is full: nothing is stored until there is space"),
      }),
    });
    await process.untilUp();
  }

  startTrainer(): Promise<void> {
    return this.startService("trainer", 0);
  }

  startGateway(): Promise<void> {
    return this.startService("gateway", 0);
  }

  async scale(service: ScalableService, count: number): Promise<StopOutcome[]> {
    const present = this.membersOf(service);
    const surplus = present.filter(({ index }) => index >= count);
    const taken = new Set(present.map(({ index }) => index));
    const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !taken.has(i));
    const [outcomes] = await Promise.all([
      this.retire(surplus),
      Promise.all(missing.map((index) => this.startService(service, index))),
    ]);
    return outcomes;
  }

  async stop(): Promise<StopOutcome[]> {
    const outcomes: StopOutcome[] = [];
    for (const services of STOP_ORDER) {
      const members = [...this.members.values()].filter((m) => services.includes(m.service));
      outcomes.push(...(await this.end(members)));
    }
    await this.writes.idle();
    return outcomes;
  }

  private membersOf(service: Member["service"]): Member[] {
    const members = [...this.members.values()].filter((member) => member.service === service);
    return members.sort((a, b) => a.index - b.index);
  }

  private async startService(service: ServiceName, index: number): Promise<void> {
    const { options, layout, natsUrl } = this.given;
    const { portBase } = options;
    const name = nameOf(service, index);
    const member = this.launch(service, index, {
      ports: await choosePorts(portBase, service, index),
      ...(portBase === 0 && { nextPorts: () => choosePorts(0, service) }),
      invocation: (ports) =>
        serviceInvocation(service, name, { ...ports, natsUrl, options, layout }),
      probe: grpcProbe,
      lifeline: "ipc",
    });
    try {
      await member.process.untilUp();
    } catch (error) {
      if (member.process.info().state === "ended") this.members.delete(name);
      throw error;
    }
    member.listed = true;
    await this.writeAddresses(service);
  }

  private launch(
    service: Member["service"],
    index: number,
    spec: Pick<
      ProcessSpec,
      "ports" | "nextPorts" | "invocation" | "probe" | "lifeline" | "restartReason"
    >,
  ): Member {
    const { layout, options } = this.given;
    const name = nameOf(service, index);
    const onStarted = () => {
      this.remember();
      if (this.members.get(name)?.listed) void this.writeAddresses(service);
    };
    const process = superviseProcess({
      ...spec,
      name,
      service,
      logFile: layout.logOf(name),
      restart: options.restart,
      onEvent: (level, text) => this.tell(level, name, text),
      // Called from inside superviseProcess() too, before the member is known.
      onStarted: () => queueMicrotask(onStarted),
    });
    const member = { service, index, listed: false, process };
    this.members.set(name, member);
    return member;
  }

  /** Takes servers off the list, lets clients notice, and ends them. */
  private async retire(members: readonly Member[]): Promise<StopOutcome[]> {
    if (members.length === 0) return [];
    for (const member of members) member.listed = false;
    const { service } = members[0]!;
    await this.writeAddresses(service);
    if (hasClients(service)) await delay(NOTICE_MS);
    return this.end(members);
  }

  private async end(members: readonly Member[]): Promise<StopOutcome[]> {
    const { graceMs } = this.given.options;
    const outcomes = await Promise.all(members.map(({ process }) => process.stop(graceMs)));
    for (const { name } of outcomes) this.members.delete(name);
    this.remember();
    return outcomes;
  }

  private writeAddresses(service: Member["service"]): Promise<void> {
    if (!hasClients(service)) return Promise.resolve();
    return this.write(this.given.layout.addressesOf(service), () =>
      this.addresses(service)
        .map((address) => `${address}\n`)
        .join(""),
    );
  }

  private remember(): void {
    const { layout, options } = this.given;
    void this.write(layout.processes, () => {
      const running = this.processes().flatMap(({ name, service, pid }): RememberedProcess[] => {
        const mark = service === "nats" ? layout.nats : clusterMark(layout.dir, options.graceMs);
        return pid === undefined ? [] : [{ name, pid, mark }];
      });
      return JSON.stringify(running);
    });
  }

  private tell(level: ClusterEvent["level"], process: string, text: string): void {
    this.given.onEvent({ time: new Date().toISOString(), level, process, text });
  }

  /** One at a time, with what holds when its turn has come; a failure is told, the next may work. */
  private write(file: string, content: () => string): Promise<void> {
    return this.writes
      .run(() => atomicWriteFile(file, content()))
      .catch((error: unknown) => {
        this.tell("error", "", `cannot write ${file}: ${String(error)}`);
      });
  }
}

/** Of some services there is one. */
function nameOf(service: Member["service"], index: number): string {
  const isOne = service === "nats" || service === "trainer" || service === "gateway";
  return isOne ? service : `${service}-${index + 1}`;
}

/** Servers that somebody calls by address file. */
function hasClients(service: Member["service"]): boolean {
  return service !== "nats" && service !== "rollout";
}
