import type { StageDefinition } from "@stagecraft/runs";
import type { CommandEntry } from "../app/command.js";

/** What each command is for, in the order of --help. */
const SUMMARIES = {
  tokenizer: "train a tokenizer (byte-level BPE, or characters)",
  pretrain: "train a base model on text",
  sft: "teach a base model to answer, from demonstrations",
  collect: "sample several answers per prompt, for people to rank",
  rank: "rank sampled answers in the terminal",
  reward: "train a reward model on ranked answers",
  ppo: "improve a model against a reward model, through the real services",
  dpo: "improve a model on ranked answers directly, without reward model",
  loop: "rank, reward model, PPO, round after round until stopped",
  evaluate: "measure a model on held-out prompts or text",
  chat: "talk to a model in the terminal",
  serve: "serve a model behind OpenAI's API on this machine",
  pipeline: "run several stages from one YAML file",
  data: "what data files hold, and where they are wrong",
  export: "what people said, as files for the stages; models and adapters for other tools",
  runs: "list runs, show one",
  models: "versions of models: list, show, register, promote, roll back, push, pull",
  report: "one HTML page of what runs did, laid over one another",
  inspect: "look at sampled answers of a ppo run, token by token",
  info: "describe a model directory",
  logits: "write the logits of given tokens, to compare with other tools",
  tokenize: "give the token ids of texts",
  render: "show a conversation as the model reads it, and what of it is learnt",
  demo: "train a small assistant through all stages, in minutes",
  studio: "pages on which people rank, write and chat, and the loop that learns from them",
  up: "start all services as processes of this machine, supervised",
  scale: "more or fewer processes of a service, while it runs",
  status: "who is up, and what the cluster does",
  down: "stop the cluster in good order",
  nats: "set up streams, consumers and buckets on a message broker",
  "dead-letters": "messages that were given up: list, show, requeue",
  keys: "sign model directories, check who signed them",
  check: "learning checks: does training still reach known figures?",
};

type Name = keyof typeof SUMMARIES;

/** Modules load on call: `--help` needs no tensor engine. */
const LOADS: Readonly<Record<Name, CommandEntry["load"]>> = {
  tokenizer: async () => stage((await import("@stagecraft/pipeline")).tokenizerStage),
  pretrain: async () => stage((await import("@stagecraft/learn")).pretrainStage),
  sft: async () => stage((await import("@stagecraft/learn")).sftStage),
  collect: async () => stage((await import("@stagecraft/learn")).collectStage),
  rank: async () => (await import("./rank.js")).rankCommand,
  reward: async () => stage((await import("@stagecraft/learn")).rewardStage),
  ppo: async () => (await import("./ppo.js")).ppoCommand,
  dpo: async () => stage((await import("@stagecraft/learn")).dpoStage),
  loop: async () => (await import("./loop.js")).loopCommand,
  evaluate: async () => stage((await import("@stagecraft/eval")).evaluateStage),
  chat: async () => (await import("./chat.js")).chatCommand,
  serve: async () => (await import("./serve.js")).serveCommand,
  pipeline: async () => (await import("./pipeline.js")).pipelineCommand,
  data: async () => (await import("./data.js")).dataCommand,
  export: async () => (await import("./export.js")).exportCommand,
  runs: async () => (await import("./runs.js")).runsCommand,
  models: async () => (await import("./models.js")).modelsCommand,
  report: async () => (await import("./report.js")).reportCommand,
  inspect: async () => (await import("./inspect.js")).inspectCommand,
  info: async () => (await import("./info.js")).infoCommand,
  logits: async () => (await import("./logits.js")).logitsCommand,
  tokenize: async () => (await import("./tokenize.js")).tokenizeCommand,
  render: async () => (await import("./render.js")).renderCommand,
  demo: async () => (await import("./demo.js")).demoCommand,
  studio: async () => (await import("./studio.js")).studioCommand,
  up: async () => (await import("./up.js")).upCommand,
  scale: async () => (await import("./scale.js")).scaleCommand,
  status: async () => (await import("./status.js")).statusCommand,
  down: async () => (await import("./down.js")).downCommand,
  nats: async () => (await import("./nats.js")).natsCommand,
  "dead-letters": async () => (await import("./dead-letters.js")).deadLettersCommand,
  keys: async () => (await import("./keys.js")).keysCommand,
  check: async () => (await import("./check.js")).checkCommand,
};

/** Every command in the order of --help. */
export const COMMANDS: readonly CommandEntry[] = (Object.keys(SUMMARIES) as Name[]).map((name) => {
  return { name, summary: SUMMARIES[name], load: LOADS[name] };
});

async function stage<C>(definition: StageDefinition<C>) {
  return (await import("./stage-command.js")).stageCommand(definition);
}
