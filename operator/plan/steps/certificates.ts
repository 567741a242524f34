/**
 * Certificates in two steps: that there are good ones, before any Pod needs them; and that each member's files are
 * refreshed once they have changed. Members load them without a restart.
 */
import { ANNOTATIONS } from "../../api/names.ts";
import { acting, type Decision, waiting } from "../decision.ts";
import { certificateHash } from "../loaded.ts";
import type { View } from "../view.ts";

/** Issues what our own authority has to, and what is made of that which others give. */
export function issuing(view: View): Decision | undefined {
  const needs = view.builders.secrets(view.cluster);
  const due = needs.filter((need) => need.by === "operator").flatMap((need) => dueFor(view, need.name));
  if (due.length > 0) {
    const secrets = due.map(({ secret }) => secret);
    const message = due.map(({ secret, why }) => `${secret} (${why})`).join(", ");
    return acting({ kind: "issue-certificates", secrets }, `certificates are issued: ${message}`, {
      events: [{ type: "Normal", reason: "CertificateIssuing", message }],
    });
  }
  return undefined;
}

/** Waits for what others have to give, as long as nothing runs that could do without: after the objects they need. */
export function awaiting(view: View): Decision | undefined {
  const missing = view.builders.secrets(view.cluster).filter((need) => !view.seen.secrets.has(need.name));
  const isIdle = view.members.every((member) => member.pod === undefined);
  if (missing.length === 0 || !isIdle) return undefined;
  return waiting(`Secret ${missing.map((need) => need.name).join(", ")} is awaited`, { againInMs: 5000 });
}

/** As those say who know what is made of what; where nobody does, whatever is missing. */
function dueFor(view: View, secret: string): readonly { readonly secret: string; readonly why: string }[] {
  const { certificatesDue, secrets } = view.seen;
  if (certificatesDue !== undefined) return certificatesDue.filter((one) => one.secret === secret).slice(0, 1);
  return secrets.has(secret) ? [] : [{ secret, why: "it is not there" }];
}

/** The kubelet refreshes a Pod's files a minute after a change; at once when the Pod itself changes. */
export function reloading(view: View): Decision | undefined {
  const hash = certificateHash(view);
  if (hash === undefined) return undefined;
  for (const { name, pod } of view.members) {
    if (pod === undefined || pod.isTerminating || pod.annotations[ANNOTATIONS.certificateHash] === hash) continue;
    return acting(
      { kind: "mark-pod", pod: pod.name, uid: pod.uid, marks: { certificateHash: hash } },
      `the certificates of ${name} are refreshed`,
    );
  }
  return undefined;
}
