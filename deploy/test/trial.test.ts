import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("../scripts/trial.sh", import.meta.url));

/** What each writes down is its name and arguments; what kubectl and the cluster tools answer besides. */
const FAKE = `#!/bin/sh
printf '%s %s\\n' "\${0##*/}" "$*" >> "$CALLS"
case "\${0##*/} $*" in
  "kind get clusters") echo "$CLUSTERS" ;;
  "k3d cluster list "* | "minikube status "*) [ -n "$CLUSTERS" ] ;;
  *"get secret "*) [ -n "$SECRETS" ] ;;
  *" exec "*) cat > /dev/null ;;
  *" logs "*) echo '{"link":"http://127.0.0.1:8080/sign-in#abc_D-1","msg":"sign in the first operator"}' ;;
esac
`;

/** Runs the script where of the tools only these are installed, each a fake. */
async function trial(tools: readonly string[], args: readonly string[], env = {}) {
  await using dir = await tempDir();
  const [bin, models, calls] = [dir.file("bin"), dir.file("models"), dir.file("calls")];
  for (const folder of ["bin", "models/ppo/model", "models/reward/model", "models/world/world"]) {
    mkdirSync(dir.file(folder), { recursive: true });
  }
  for (const model of ["ppo", "reward"])
    writeFileSync(`${models}/${model}/model/config.json`, "{}");
  writeFileSync(`${models}/world/world/prompts-train.jsonl`, "{}\n");
  writeFileSync(calls, "");
  for (const tool of tools) writeFileSync(`${bin}/${tool}`, FAKE, { mode: 0o755 });
  symlinkSync(process.execPath, `${bin}/node`);
  for (const program of SHELL) symlinkSync(`/bin/${program}`, `${bin}/${program}`);
  const { status, stdout, stderr } = spawnSync(
    `${bin}/bash`,
    [script, "--models", models, ...args],
    {
      encoding: "utf8",
      env: { PATH: bin, CALLS: calls, ...env },
    },
  );
  return { status, stdout, stderr, calls: readFileSync(calls, "utf8").trim().split("\n"), models };
}

/** What the script itself, npm's fake apart, takes from the machine. */
const SHELL = [
  "bash",
  "sh",
  "sed",
  "grep",
  "tail",
  "mktemp",
  "rm",
  "dirname",
  "mkdir",
  "cat",
  "tar",
];
const BASE = ["docker", "kubectl", "npm"];

describe("deploy/scripts/trial.sh", () => {
  it("says what to install where there is none of the tools", async () => {
    const { status, stderr, calls } = await trial(BASE, []);
    expect(status).toBe(1);
    expect(stderr).toContain("none of kind, k3d and minikube is installed");
    expect(calls).toEqual([""]);
  });

  it("refuses a tool that it does not know, or that is not there, by name", async () => {
    expect((await trial(BASE, ["--tool", "kubeadm"])).stderr).toContain("--tool kubeadm");
    expect((await trial(BASE, ["--tool", "k3d"])).stderr).toContain("k3d is not installed");
    expect((await trial(BASE, ["--frob"])).status).toBe(2);
  });

  it("prints the steps and does none of them with --dry-run, without any tool", async () => {
    const { status, stdout, calls } = await trial([], ["--dry-run"]);
    expect(status).toBe(0);
    expect(calls).toEqual([""]);
    expect(stdout).toContain("+ kind create cluster --name stagecraft-trial");
    expect(stdout).toContain("+ kubectl apply -k deploy/kustomize/overlays/trial");
    expect(stdout.trim().split("\n").at(-1)).toContain("port-forward deployment/gateway 8080:8080");
  });

  it.each([
    ["kind", "kind create cluster --name stagecraft-trial", "kind load image-archive"],
    ["k3d", "k3d cluster create stagecraft-trial", "k3d image import"],
    ["minikube", "minikube start --profile stagecraft-trial", "minikube image load"],
  ])("brings a cluster up with %s, in order, and ends at the link", async (tool, create, load) => {
    const { status, stdout, stderr, calls, models } = await trial([...BASE, tool], []);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const order = [
      create,
      "npm run deploy:images",
      "docker save --output",
      load,
      "kubectl apply -k deploy/kustomize/data/one-node",
      "create secret generic stagecraft-access",
      "create secret generic stagecraft-database",
      "kubectl apply -k deploy/kustomize/overlays/trial",
      "rollout status deployment/model-loader",
      "exec --stdin deployment/model-loader",
      "rollout status deployment/gateway",
      "logs deployment/gateway",
      "port-forward deployment/gateway 8080:8080",
    ];
    const places = order.map((part) => calls.findIndex((call) => call.includes(part)));
    expect(places, calls.join("\n")).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(stdout).toContain("Studio: http://127.0.0.1:8080/sign-in#abc_D-1");
    expect(stdout).toContain(`${models}/ppo/model is nats://policy`);
    // Passwords are in no line that a person, or a log, sees.
    const secret = /operator=(\w{48})/.exec(calls.join("\n"))?.[1];
    expect(secret).toBeDefined();
    expect(stdout).not.toContain(secret);
  });

  it("goes on with the cluster and the secrets that there are", async () => {
    const there = { CLUSTERS: "stagecraft-trial", SECRETS: "yes" };
    const { calls } = await trial([...BASE, "kind"], ["--no-build"], there);
    const text = calls.join("\n");
    expect(text).toContain("kind export kubeconfig --name stagecraft-trial");
    for (const step of ["create cluster", "create secret", "deploy:images"]) {
      expect(text).not.toContain(step);
    }
  });

  it("takes images that podman built by the names that Kubernetes looks for", async () => {
    const { status, calls } = await trial(["podman", "kubectl", "npm", "kind"], []);
    expect(status).toBe(0);
    const text = calls.join("\n");
    expect(text).toMatch(/podman tag localhost\/stagecraft\/cli:\S+ docker.io\/stagecraft\/cli:/);
    expect(text).toMatch(/podman save .* docker.io\/stagecraft\/policy:/);
  });

  it("deletes the cluster by its name", async () => {
    const { calls } = await trial([...BASE, "k3d"], ["--delete", "--name", "mine"]);
    expect(calls.at(-1)).toBe("k3d cluster delete mine");
  });
});
