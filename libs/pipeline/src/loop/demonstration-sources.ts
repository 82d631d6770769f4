import { join } from "node:path";
import { parseDemonstration, type feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { readConversations, type Conversation } from "@stagecraft/data";
import type { DemonstrationSource } from "./demonstration-source.js";
import { connectFeedback } from "./feedback-client.js";
import { openInbox } from "./inbox.js";
import type { Round } from "./round.js";

/** The sources of a round: a folder, and the feedback service where people rank there. */
export function openDemonstrations(round: Round): (() => Promise<DemonstrationSource>)[] {
  const folder = () => openFolder(round);
  return round.config.ranker === "feedback" ? [folder, () => openService(round)] : [folder];
}

async function openFolder({ config, runDir, state, context }: Round): Promise<DemonstrationSource> {
  const folder = config.demonstrationInbox || join(runDir, "demonstrations");
  const inbox = await openInbox(folder, {
    records: readConversations,
    consumed: new Set(state.consumedDemonstrations),
    reporter: context.reporter,
  });
  return {
    where: inbox.where,
    read: async () => ({ demonstrations: await inbox.read(), files: inbox.files() }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function openService({ config, state, context }: Round): Promise<DemonstrationSource> {
  const service = await connectFeedback(config, context);
  return {
    where: "at the feedback service",
    async read() {
      let position = state.demonstrationPosition ?? "";
      const demonstrations: Conversation[] = [];
      for (let hasMore = true; hasMore;) {
        const page = { pageSize: 0, pageToken: position };
        const answer = await service
          .call((client) => client.listDemonstrations(page))
          .catch(whereItCanList);
        if (!answer) {
          context.reporter.warn("this feedback service is too old to list demonstrations");
          return { demonstrations: [], files: [] };
        }
        demonstrations.push(...answer.feedback.map(toConversation));
        position = answer.nextPageToken;
        hasMore = answer.hasMore;
      }
      return { demonstrations, files: [], position };
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

function whereItCanList(thrown: unknown): undefined {
  if (StagecraftError.from(thrown).code !== "unimplemented") throw thrown;
  return undefined;
}

function toConversation(entry: feedback.Feedback): Conversation {
  const given = entry.body?.$case === "demonstration" ? entry.body.value : undefined;
  const messages = parseDemonstration(given);
  const kind = entry.origin?.kind ?? "";
  return { id: entry.feedbackId, ...(kind !== "" && { kind }), messages };
}
