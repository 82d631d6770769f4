import type { StageDefinition } from "@stagecraft/runs";
import type { CommandEntry } from "../app/command.js";

/** Every command in the order of --help. Modules load on call: `--help` needs no tensor engine. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "tokenizer",
    summary: "train a tokenizer (byte-level BPE, or characters)",
    load: async () => stage((await import("@stagecraft/pipeline")).tokenizerStage),
  },
  {
    name: "pretrain",
    summary: "train a base model on text",
    load: async () => stage((await import("@stagecraft/learn")).pretrainStage),
  },
  {
    name: "sft",
    summary: "teach a base model to answer, from demonstrations",
    load: async () => stage((await import("@stagecraft/learn")).sftStage),
  },
  {
    name: "collect",
    summary: "sample several answers per prompt, for people to rank",
    load: async () => stage((await import("@stagecraft/learn")).collectStage),
  },
  {
    name: "rank",
    summary: "rank sampled answers in the terminal",
    load: async () => (await import("./rank.js")).rankCommand,
  },
  {
    name: "reward",
    summary: "train a reward model on ranked answers",
    load: async () => stage((await import("@stagecraft/learn")).rewardStage),
  },
  {
    name: "ppo",
    summary: "improve a model against a reward model, through the real services",
    load: async () => (await import("./ppo.js")).ppoCommand,
  },
  {
    name: "dpo",
    summary: "improve a model on ranked answers directly, without reward model",
    load: async () => stage((await import("@stagecraft/learn")).dpoStage),
  },
  {
    name: "loop",
    summary: "rank, reward model, PPO, round after round until stopped",
    load: async () => (await import("./loop.js")).loopCommand,
  },
  {
    name: "evaluate",
    summary: "measure a model on held-out prompts or text",
    load: async () => stage((await import("@stagecraft/eval")).evaluateStage),
  },
  {
    name: "chat",
    summary: "talk to a model in the terminal",
    load: async () => (await import("./chat.js")).chatCommand,
  },
  {
    name: "serve",
    summary: "serve a model behind OpenAI's API on this machine",
    load: async () => (await import("./serve.js")).serveCommand,
  },
  {
    name: "pipeline",
    summary: "run several stages from one YAML file",
    load: async () => (await import("./pipeline.js")).pipelineCommand,
  },
  {
    name: "data",
    summary: "what data files hold, and where they are wrong",
    load: async () => (await import("./data.js")).dataCommand,
  },
  {
    name: "export",
    summary: "what people said, as files for the stages; models and adapters for other tools",
    load: async () => (await import("./export.js")).exportCommand,
  },
  {
    name: "runs",
    summary: "list runs, show one",
    load: async () => (await import("./runs.js")).runsCommand,
  },
  {
    name: "models",
    summary: "versions of models: list, show, register, promote, roll back, push, pull",
    load: async () => (await import("./models.js")).modelsCommand,
  },
  {
    name: "report",
    summary: "one HTML page of what runs did, laid over one another",
    load: async () => (await import("./report.js")).reportCommand,
  },
  {
    name: "inspect",
    summary: "look at sampled answers of a ppo run, token by token",
    load: async () => (await import("./inspect.js")).inspectCommand,
  },
  {
    name: "info",
    summary: "describe a model directory",
    load: async () => (await import("./info.js")).infoCommand,
  },
  {
    name: "logits",
    summary: "write the logits of given tokens, to compare with other tools",
    load: async () => (await import("./logits.js")).logitsCommand,
  },
  {
    name: "tokenize",
    summary: "give the token ids of texts",
    load: async () => (await import("./tokenize.js")).tokenizeCommand,
  },
  {
    name: "render",
    summary: "show a conversation as the model reads it, and what of it is learnt",
    load: async () => (await import("./render.js")).renderCommand,
  },
  {
    name: "demo",
    summary: "train a small assistant through all stages, in minutes",
    load: async () => (await import("./demo.js")).demoCommand,
  },
  {
    name: "studio",
    summary: "pages on which people rank, write and chat, and the loop that learns from them",
    load: async () => (await import("./studio.js")).studioCommand,
  },
  {
    name: "up",
    summary: "start all services as processes of this machine, supervised",
    load: async () => (await import("./up.js")).upCommand,
  },
  {
    name: "scale",
    summary: "more or fewer processes of a service, while it runs",
    load: async () => (await import("./scale.js")).scaleCommand,
  },
  {
    name: "status",
    summary: "who is up, and what the cluster does",
    load: async () => (await import("./status.js")).statusCommand,
  },
  {
    name: "down",
    summary: "stop the cluster in good order",
    load: async () => (await import("./down.js")).downCommand,
  },
  {
    name: "nats",
    summary: "set up streams, consumers and buckets on a message broker",
    load: async () => (await import("./nats.js")).natsCommand,
  },
  {
    name: "dead-letters",
    summary: "messages that were given up: list, show, requeue",
    load: async () => (await import("./dead-letters.js")).deadLettersCommand,
  },
  {
    name: "keys",
    summary: "sign model directories, check who signed them",
    load: async () => (await import("./keys.js")).keysCommand,
  },
  {
    name: "check",
    summary: "learning checks: does training still reach known figures?",
    load: async () => (await import("./check.js")).checkCommand,
  },
];

async function stage<C>(definition: StageDefinition<C>) {
  return (await import("./stage-command.js")).stageCommand(definition);
}
