/** What the driver and the proxy process say to each other over the proxy's admin port. */
import * as z from "zod/mini";
import { Address, Epoch, ModuleName, NodeName } from "#model/contract/common.ts";

/** `PUT /targets/:module`. The port is the proxy's own configuration. */
export const ProxyTarget = z.object({ epoch: Epoch, nodeId: NodeName, host: Address });
export type ProxyTarget = z.infer<typeof ProxyTarget>;

/** `GET /targets`: one entry per configured listener. */
export const ProxyStatus = z.object({
  targets: z.array(
    z.object({
      module: ModuleName,
      listen: z.string(),
      target: z.nullable(ProxyTarget),
      connections: z.int(),
    }),
  ),
});
export type ProxyStatus = z.infer<typeof ProxyStatus>;
