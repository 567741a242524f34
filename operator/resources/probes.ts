/**
 * What the kubelet asks a member, on the port that speaks no TLS. None of it depends on a majority: a member without
 * one lives and must not be killed, and must not look like one that is gone.
 */
import type { ProbeSpec, ProbesSpec } from "../api/etcd-cluster.ts";

export interface Probes {
  readonly startupProbe: object;
  readonly livenessProbe: object;
  readonly readinessProbe: object;
}

/** Replaying a long log takes minutes: until the startup probe has succeeded once, the others are not asked. */
export function probesOf({ startup, liveness, readiness }: ProbesSpec): Probes {
  return {
    startupProbe: probe("/livez", startup),
    livenessProbe: probe("/livez", liveness),
    readinessProbe: probe("/readyz?linearizable=false", readiness),
  };
}

function probe(path: string, { periodSeconds, timeoutSeconds, failureThreshold }: ProbeSpec): object {
  return { httpGet: { path, port: "metrics", scheme: "HTTP" }, periodSeconds, timeoutSeconds, failureThreshold };
}
