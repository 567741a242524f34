/**
 * The one thing that a pass does. Every action can be carried out twice without harm, and is derived anew from what is
 * observed: a crash before, within or after it needs no journal.
 */
import type { EtcdClusterSpec, EtcdClusterStatus } from "../api/etcd-cluster.ts";
import type { ClaimState } from "../api/names.ts";
import type { MetadataChange } from "../resources/inherited.ts";

/** An object as it is to be, without what the API server adds. */
export interface Desired {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string; readonly namespace: string };
}

export type Action =
  /** Only the status is written. It is written before any other action of the same pass, too. */
  | { readonly kind: "none" }
  /** Server-side apply of a Service, disruption budget, ConfigMap, ServiceAccount, Certificate. */
  | { readonly kind: "apply-child"; readonly object: Desired }
  | { readonly kind: "delete-child"; readonly child: string; readonly uid: string }
  | { readonly kind: "accept-spec"; readonly spec: EtcdClusterSpec }
  | { readonly kind: "add-finalizer" }
  | { readonly kind: "drop-finalizer" }
  /**
   * Issues or renews what the operator's own authority signs. With `rotation`, the text of a request, `secrets` are
   * authorities, each of which is replaced once for it.
   */
  | { readonly kind: "issue-certificates"; readonly secrets: readonly string[]; readonly rotation?: string }
  | { readonly kind: "create-claim"; readonly member: string; readonly object: Desired }
  | { readonly kind: "mark-claim"; readonly claim: string; readonly uid: string; readonly marks: ClaimMarks }
  | { readonly kind: "grow-claim"; readonly claim: string; readonly uid: string; readonly size: string }
  | { readonly kind: "delete-claim"; readonly claim: string; readonly uid: string }
  | { readonly kind: "create-pod"; readonly member: string; readonly object: Desired }
  | { readonly kind: "mark-pod"; readonly pod: string; readonly uid: string; readonly marks: PodMarks }
  /** `isForced` only where the node is gone or out of service. */
  | {
      readonly kind: "delete-pod";
      readonly pod: string;
      readonly uid: string;
      readonly why: string;
      readonly isForced?: boolean;
    }
  | { readonly kind: "add-learner"; readonly member: string; readonly peerUrl: string; readonly via: string }
  | { readonly kind: "promote"; readonly member: string; readonly memberId: string; readonly via: string }
  | { readonly kind: "remove-member"; readonly member: string; readonly memberId: string; readonly via: string }
  | { readonly kind: "move-leader"; readonly from: string; readonly to: string; readonly toId: string }
  | { readonly kind: "defragment"; readonly member: string }
  /** Takes back an alarm that a member left behind which is listed no more: it would refuse all clients for ever. */
  | {
      readonly kind: "disarm";
      readonly memberId: string;
      readonly alarm: "NOSPACE" | "CORRUPT";
      readonly via: string;
    };

export interface ClaimMarks {
  readonly state?: ClaimState;
  readonly clusterId?: string;
  readonly memberId?: string;
  /** Inherited labels and annotations that are to change; null: that is to go. */
  readonly metadata?: MetadataChange;
}

export interface PodMarks {
  readonly role?: "voter" | "learner";
  /** Takes the label away: clients are no longer sent there. */
  readonly dropsRole?: boolean;
  readonly memberId?: string;
  readonly certificateHash?: string;
  readonly metadata?: MetadataChange;
}

/** What people are told beside the status. */
export interface Happening {
  readonly type: "Normal" | "Warning";
  /** UpperCamelCase. */
  readonly reason: string;
  readonly message: string;
  readonly member?: string;
}

export interface Plan {
  readonly action: Action;
  readonly status: EtcdClusterStatus;
  readonly events: readonly Happening[];
  /** When to look again if nothing happens before, milliseconds; after an action it is soon. */
  readonly againInMs: number;
}
