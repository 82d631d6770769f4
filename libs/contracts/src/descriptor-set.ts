import { DESCRIPTOR_SET_BASE64 } from "./gen/descriptor-set.js";

/** Bytes of a google.protobuf.FileDescriptorSet with every proto and its imports, for reflection. */
export function fileDescriptorSet(): Uint8Array {
  return new Uint8Array(Buffer.from(DESCRIPTOR_SET_BASE64, "base64"));
}
