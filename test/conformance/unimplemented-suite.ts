/** What Kvorum does not do yet says so, in the words of gRPC. On etcd, which does it all, there is nothing to see here. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AnyMethod, SERVICES } from "../../server/proto/services.ts";
import { statusText } from "./store.ts";
import { suite } from "./target.ts";

const { downgrade } = SERVICES.maintenance.methods;

export const UNIMPLEMENTED: readonly AnyMethod[] = [
  downgrade,
  ...Object.values<AnyMethod>(SERVICES.auth.methods),
  ...Object.values<AnyMethod>(SERVICES.lock.methods),
  ...Object.values<AnyMethod>(SERVICES.election.methods),
];

export const unimplementedSuite = suite("What comes later", [], (store) => {
  for (const method of UNIMPLEMENTED)
    test(`${method.path} is not implemented`, async () => {
      const { status } = await store.client.call(method as typeof downgrade);
      assert.equal(statusText(status), `Unimplemented method ${method.name} not implemented`);
    });
});
