/** A model that answers now. Who only rates or writes sees labels that name no model. */
export interface ServedModel {
  id: string;
  label: string;
  /** Of the weights in use; null where it may not be seen. */
  version: string | null;
}

/** `GET /api/models` */
export interface ServedModels {
  models: ServedModel[];
}

/**
 * Events of an answer as it is written: `text/event-stream`, each `data:` line one of these as JSON.
 * It ends with `done` or `error`. Closing the request stops the model.
 */
export type AnswerEvent =
  | { type: "start"; answerId: string }
  | { type: "text"; text: string }
  | {
      type: "done";
      answerId: string;
      /** The whole answer. */
      text: string;
      /** `stop`: it was finished; `length`: it was cut. */
      finishReason: "stop" | "length";
    }
  | { type: "error"; error: { code: string; message: string; advice: string } };
