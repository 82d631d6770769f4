import { reward } from "@stagecraft/contracts";
import { describe, expect, it } from "vitest";
import { EVERYTHING, overlayOf, render, RENDERER_MISSING } from "./render.js";
import { find, serversOf } from "./workloads.js";
import type { Manifest } from "./schemas.js";

interface Route {
  parentRefs: { name: string }[];
  hostnames: string[];
  rules: { matches: { method: { service: string } }[]; backendRefs: Backend[] }[];
}

interface Backend {
  name: string;
  port: number;
}

interface GatewaySpec {
  listeners: { hostname: string; protocol: string; tls: { mode: string } }[];
}

interface ServiceSpec {
  clusterIP?: string;
  selector: Record<string, string>;
  ports: { port: number; targetPort: string; appProtocol?: string }[];
}

const specOf = <T>(manifests: readonly Manifest[], kind: string, name: string) =>
  find(manifests, kind, name)["spec"] as T;

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
describe.skipIf(RENDERER_MISSING !== undefined)(`scores from outside the cluster${skipped}`, () => {
  it("go by TLS to the reward model's own port, and no other service does", () => {
    const manifests = render(EVERYTHING);
    const { parentRefs, hostnames, rules } = specOf<Route>(manifests, "GRPCRoute", "scoring");
    const { listeners } = specOf<GatewaySpec>(manifests, "Gateway", parentRefs[0]!.name);
    expect(listeners).toEqual([
      expect.objectContaining({ protocol: "HTTPS", hostname: hostnames[0] }),
    ]);
    expect(listeners[0]?.tls.mode).toBe("Terminate");
    const [rule, another] = rules;
    expect(another).toBeUndefined();
    expect(rule!.matches.map(({ method }) => method.service)).toEqual([
      reward.RewardServiceService.scoreBatch.path.split("/")[1],
    ]);
    const [backend] = rule!.backendRefs;
    const { selector, ports, clusterIP } = specOf<ServiceSpec>(manifests, "Service", backend!.name);
    expect(clusterIP).toBeUndefined();
    const [scorer] = serversOf(manifests).filter(({ labels }) =>
      Object.entries(selector).every(([key, value]) => labels[key] === value),
    );
    expect(scorer?.name).toBe("reward-model");
    const port = scorer!.container.ports!.find(({ name }) => name === ports[0]!.targetPort);
    expect([backend!.port, ports[0]!.port]).toEqual([port?.containerPort, port?.containerPort]);
  });

  it("are let in from the gateway's namespace by a network rule for that port alone", () => {
    const { podSelector, ingress } = specOf<{
      podSelector: { matchLabels: Record<string, string> };
      ingress: { ports: { port: number }[] }[];
    }>(render(EVERYTHING), "NetworkPolicy", "allow-gateway-to-scores");
    expect(podSelector.matchLabels).toEqual({ "app.kubernetes.io/name": "reward-model" });
    expect(ingress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([50052]);
  });

  it("go on in TLS where the reward model speaks it, in plaintext where it does not", () => {
    const secure = specOf<ServiceSpec>(render(EVERYTHING), "Service", "reward-model-scoring");
    expect(secure.ports[0]?.appProtocol).toBeUndefined();
    const { targetRefs, validation } = specOf<{
      targetRefs: { name: string }[];
      validation: { hostname: string };
    }>(render(EVERYTHING), "BackendTLSPolicy", "scoring");
    expect(targetRefs.map(({ name }) => name)).toEqual(["reward-model-scoring"]);
    const { dnsNames } = specOf<{ dnsNames: string[] }>(
      render(EVERYTHING),
      "Certificate",
      "reward-model",
    );
    expect(dnsNames).toContain(validation.hostname);
    using mine = overlayOf({
      resources: ["../cpu"],
      components: ["../../components/scoring-gateway"],
    });
    const plain = specOf<ServiceSpec>(render(mine.path), "Service", "reward-model-scoring");
    expect(plain.ports[0]?.appProtocol).toBe("kubernetes.io/h2c");
  });
});
