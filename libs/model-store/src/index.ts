export { bringModels, type BringModelsOptions } from "./bring-models.js";
export {
  bringModelsFields,
  modelBrokerFields,
  modelStoreFields,
  type ModelStoreSettings,
} from "./fields.js";
export { localModel, modelsFolder, newestVersion, type LocalModelOptions } from "./local-model.js";
export {
  formatModelUrl,
  isModelUrl,
  parseModelUrl,
  type ModelUrl,
  type StoreUrl,
} from "./model-url.js";
export { createNatsStore, type NatsStoreOptions } from "./nats-store.js";
export { openModelStore, type ConnectionSettings, type StoreSettings } from "./open-store.js";
export { openRegistryAt } from "./open-registry-at.js";
export { lockTarget, type PullLockOptions } from "./pull-lock.js";
export { pullModel, type Pulled, type PullOptions } from "./pull.js";
export { pushResult, type PushResultOptions } from "./push-result.js";
export { pushModel, type Pushed, type PushOptions } from "./push.js";
export type { LocalFile, RemoteStore, StoredState, TransferOptions } from "./remote-store.js";
export { openStoreRegistry, type StoreRegistryOptions } from "./store-registry.js";
export { createS3Store, type S3StoreOptions } from "./s3/s3-store.js";
export { createTransferProgress, type TransferReporter } from "./transfer-progress.js";
export { versionsUsed } from "./versions-used.js";
