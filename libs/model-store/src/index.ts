export { modelBrokerFields, modelStoreFields, type ModelStoreSettings } from "./fields.js";
export {
  localModel,
  modelsFolder,
  newestVersion,
  versionIn,
  type LocalModelOptions,
} from "./local-model.js";
export { formatModelUrl, isModelUrl, parseModelUrl, type ModelUrl } from "./model-url.js";
export { createNatsStore, type NatsStoreOptions } from "./nats-store.js";
export { openModelStore, type StoreSettings } from "./open-store.js";
export { pullModel, type Pulled, type PullOptions } from "./pull.js";
export { pushResult, type PushResultOptions } from "./push-result.js";
export { pushModel, type Pushed, type PushOptions } from "./push.js";
export type { LocalFile, RemoteStore, TransferOptions } from "./remote-store.js";
export { createS3Store, type S3StoreOptions } from "./s3/s3-store.js";
export { createTransferProgress, type TransferReporter } from "./transfer-progress.js";
