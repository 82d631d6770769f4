import { feedback } from "@stagecraft/contracts";
import { createRpcServer } from "@stagecraft/rpc";
import { makeCertificates, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createFeedbackClient, type FeedbackTarget } from "./feedback-client.js";

const target = (change: Partial<FeedbackTarget>): FeedbackTarget => ({
  feedbackAddress: "gateway.example.org:50055",
  ...{ feedbackTokenFile: "", feedbackTlsCa: "", ...change },
});

describe("createFeedbackClient()", () => {
  it("shows its certificate to a gateway that asks for one", async () => {
    await using dir = await tempDir();
    makeCertificates(dir.path);
    const tls = { certFile: dir.file("server.crt"), keyFile: dir.file("server.key") };
    await using server = createRpcServer({ tls: { ...tls, clientCaFile: dir.file("ca.crt") } });
    const answer = async () => feedback.ListFeedbackResponse.fromPartial({ nextPageToken: "7" });
    const names = Object.keys(feedback.FeedbackServiceService);
    const handlers = Object.fromEntries(names.map((name) => [name, answer]));
    server.addService(feedback.FeedbackServiceService, handlers as never);
    const { port } = await server.start();
    const place = { feedbackAddress: `localhost:${port}`, feedbackTlsCa: dir.file("ca.crt") };
    const own = { feedbackTlsCert: dir.file("client.crt"), feedbackTlsKey: dir.file("client.key") };
    const ask = async (change: Partial<FeedbackTarget>) => {
      await using client = await createFeedbackClient(target({ ...place, ...change }));
      const request = feedback.ListFeedbackRequest.fromPartial({});
      return await client.listFeedback(request, { timeoutMs: 2000 }); // before the client closes
    };
    expect(await ask(own)).toMatchObject({ nextPageToken: "7" });
    await expect(ask({})).rejects.toMatchObject({ code: "unavailable" });
  });

  it("speaks plaintext beyond this machine only when it is told to", async () => {
    await expect(createFeedbackClient(target({}))).rejects.toMatchObject({
      code: "failed_precondition",
    });
    const client = await createFeedbackClient(target({ feedbackAllowPlaintext: true }));
    client.close();
  });
});
