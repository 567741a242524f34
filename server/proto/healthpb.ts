/** grpc.health.v1: whether a service of this server is serving. */
import { enumeration, message, string, submessage, submessages, type TypeOf } from "./codec.ts";

export const ServingStatus = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;

/** `service` empty: the server as a whole. */
export const HealthCheckRequest = message("grpc.health.v1.HealthCheckRequest", { service: string(1) });
export type HealthCheckRequest = TypeOf<typeof HealthCheckRequest>;

/** `status` is a `ServingStatus`; SERVICE_UNKNOWN only in Watch. */
export const HealthCheckResponse = message("grpc.health.v1.HealthCheckResponse", { status: enumeration(1) });
export type HealthCheckResponse = TypeOf<typeof HealthCheckResponse>;

export const HealthListRequest = message("grpc.health.v1.HealthListRequest", {});
export type HealthListRequest = TypeOf<typeof HealthListRequest>;

/** An entry of a map field, which on the wire is a message like any other. */
export const HealthListEntry = message("grpc.health.v1.HealthListResponse.StatusesEntry", {
  key: string(1),
  value: submessage(2, HealthCheckResponse),
});
export type HealthListEntry = TypeOf<typeof HealthListEntry>;

/** `statuses` is a map from the service's name; a name that comes twice holds the later status. */
export const HealthListResponse = message("grpc.health.v1.HealthListResponse", {
  statuses: submessages(1, HealthListEntry),
});
export type HealthListResponse = TypeOf<typeof HealthListResponse>;
