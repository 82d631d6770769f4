import type { RegistryView, VersionView } from "../src/http/api/index.js";
import { TRICKS } from "./fake-rank.js";
import { FakeFailure, type FakeRoute } from "./fake-server.js";

const AT = "2026-03-04T10:20:30.000Z";
const hash = (digit: number) => String(digit).repeat(64);

const version = (number: number): VersionView => ({
  ...{ version: number, path: `/srv/runs/loop/rounds/000${number}/ppo/model`, stage: "ppo" },
  ...{ sha256: hash(number), sizeBytes: 3_200_000, addedAt: AT },
  ...{ figures: { score: 1.0796748, kl: 2.2094, evalScore: 2.65 }, note: `round ${number}` },
  ...{ isPromoted: false, unknownBecause: "" },
  lineage: {
    parents: [
      { field: "policy", path: "/srv/runs/sft/model", sha256: hash(7), stage: "sft" },
      { field: "rewardModel", path: `/srv/${TRICKS.script}`, sha256: hash(8), stage: "unknown" },
    ],
    data: [
      {
        ...{ field: "prompts", path: "/srv/world/requests-train.jsonl", sha256: hash(9) },
        ...{ sizeBytes: 185_494, numLines: 742 },
      },
    ],
    config: { klCoef: 0.1, updates: 20, prompts: ["/srv/world/requests-train.jsonl"] },
    versions: { stagecraft: "0.1.0", node: "20.20.2", engine: "native" },
    ...{ commit: "unknown", startedAt: AT, finishedAt: AT },
    ancestors: [{ stage: "pretrain", sha256: hash(6) }],
  },
});

/** A registry of three versions, the third in use. */
export function fakeRegistry() {
  const elsewhere: VersionView = {
    ...{ ...version(1), stage: "unknown", note: TRICKS.script, figures: {}, lineage: null },
    unknownBecause: "it has no lineage.json: made elsewhere, or by an older version",
  };
  const versions = [version(3), version(2), elsewhere];
  const used = [1, 2, 3];
  const view = (): RegistryView => ({
    models: [
      {
        name: "assistant",
        versions: versions.map((each) => ({ ...each, isPromoted: each.version === used.at(-1) })),
        promotions: used
          .map((each, i) => ({
            ...{ version: each, at: AT.replace("20:30", `20:3${i}`), by: "Ada" },
            kind: "promote" as const,
          }))
          .reverse(),
      },
    ],
    served: ["assistant"],
  });
  const routes: Record<string, FakeRoute> = {
    "GET /registry": view,
    "POST /registry/:name/promote": ({ body }) => {
      used.push((body as { version: number }).version);
      return view();
    },
    "POST /registry/:name/rollback": () => {
      if (used.length < 2) {
        const message =
          "assistant was in no other version before: there is nothing to roll back to";
        throw new FakeFailure(409, { code: "failed_precondition", message, advice: "" });
      }
      used.pop();
      return view();
    },
  };
  return { routes, used };
}
