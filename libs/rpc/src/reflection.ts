import type { Server } from "@grpc/grpc-js";

/**
 * Adds the gRPC reflection services (v1 and v1alpha) over a serialized FileDescriptorSet. Loaded on
 * demand: production servers have no use for it.
 */
export async function addReflection(
  server: Pick<Server, "addService">,
  descriptorSet: Uint8Array,
): Promise<void> {
  const [{ ReflectionService }, { loadFileDescriptorSetFromBuffer }] = await Promise.all([
    import("@grpc/reflection"),
    import("@grpc/proto-loader"),
  ]);
  const definition = loadFileDescriptorSetFromBuffer(Buffer.from(descriptorSet));
  new ReflectionService(definition).addToServer(server);
}
