import type { PolicyBackend, ServedModels } from "@stagecraft/service-gateway";
import type { Version } from "./studio-files.js";

/** What of an open model is used here. */
export interface ServedModel extends AsyncDisposable {
  readonly models: ServedModels;
}

/** Open models by name, which are exchanged for others while they answer. */
export interface VersionSet {
  policies(): ReadonlyMap<string, PolicyBackend>;
  /** Opens what is new; what is wanted no more is closed when its last answer has ended. All or nothing. */
  replace(wanted: readonly Version[]): Promise<void>;
  /** Closes everything, whatever it is answering. */
  close(): Promise<void>;
}

interface Served {
  dir: string;
  policies: ReadonlyMap<string, PolicyBackend>;
  /** Closes it when nothing is being answered. */
  retire(): void;
  /** Closes it now; once. */
  close(): Promise<void>;
}

/** See VersionSet; `replace` is called by one at a time. */
export function createVersionSet(open: (version: Version) => Promise<ServedModel>): VersionSet {
  let current: readonly Served[] = [];
  const isOpen = new Set<Served>();
  const serve = async ({ dir, ...named }: Version): Promise<Served> => {
    const model = await open({ dir, ...named });
    let closed: Promise<void> | undefined;
    const close = () =>
      (closed ??= Promise.resolve(model[Symbol.asyncDispose]()).finally(() =>
        isOpen.delete(served),
      ));
    // Nobody waits for it: others answer already.
    const served = { dir, close, ...counted(model, () => void close().catch(() => undefined)) };
    isOpen.add(served);
    return served;
  };
  return {
    policies: () => new Map(current.flatMap(({ policies }) => [...policies])),
    async replace(wanted) {
      const [next, opened]: [Served[], Served[]] = [[], []];
      try {
        for (const version of wanted) {
          const isSame = ({ dir, policies }: Served) =>
            dir === version.dir && policies.has(version.name);
          const known = current.find(isSame);
          const served = known ?? (await serve(version));
          if (!known) opened.push(served);
          next.push(served);
        }
      } catch (thrown) {
        await Promise.allSettled(opened.map(({ close }) => close()));
        throw thrown;
      }
      const gone = current.filter((served) => !next.includes(served));
      current = next;
      for (const { retire } of gone) retire();
    },
    async close() {
      await Promise.all([...isOpen].map(({ close }) => close()));
    },
  };
}

/** A model's policies, and a way to hear when they have answered for the last time. */
function counted({ models }: ServedModel, onLast: () => void) {
  let numAnswers = 0;
  let isRetired = false;
  const whenLast = () => {
    if (isRetired && numAnswers === 0) onLast();
  };
  const watch = (backend: PolicyBackend): PolicyBackend => ({
    getModelInfo: (...args) => backend.getModelInfo(...args),
    async *generate(...args) {
      numAnswers++;
      try {
        yield* backend.generate(...args);
      } finally {
        numAnswers--;
        whenLast();
      }
    },
  });
  return {
    policies: new Map([...models.policies()].map(([name, each]) => [name, watch(each)])),
    retire() {
      isRetired = true;
      whenLast();
    },
  };
}
