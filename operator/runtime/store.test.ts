import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject } from "./kube.ts";
import { controllerUidIndex, keyOf, keyText, labelIndex, Store } from "./store.ts";

function object(name: string, version: string, { uid = name, owner = "", cluster = "" } = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "n",
      uid,
      resourceVersion: version,
      labels: { cluster },
      ownerReferences: [
        { apiVersion: "v1", kind: "X", name: "other", uid: "other" },
        { apiVersion: "v1", kind: "X", name: owner, uid: owner, controller: true },
      ],
    },
  };
}

function opened(): Store<KubeObject> {
  return new Store({ owner: controllerUidIndex, cluster: labelIndex("cluster") });
}

const types = (changes: readonly { readonly type: string; readonly object: KubeObject }[]) =>
  changes.map(({ type, object: { metadata } }) => `${type} ${metadata.name}@${metadata.resourceVersion}`);

describe("Store", () => {
  it("tells what is new, different and the same", () => {
    const store = opened();
    assert.deepEqual(types(store.put(object("a", "1"))), ["added a@1"]);
    assert.deepEqual(types(store.put(object("a", "1"))), []);
    const [change] = store.put(object("a", "2"));
    assert.ok(change?.type === "modified" && change.before.metadata.resourceVersion === "1");
    assert.deepEqual(types(store.remove({ namespace: "n", name: "a" })), ["deleted a@2"]);
    assert.deepEqual(types(store.remove({ namespace: "n", name: "a" })), []);
    assert.equal(store.size, 0);
  });

  it("another uid under the same name is one object's end and another one's beginning", () => {
    const store = opened();
    store.put(object("a", "1", { uid: "u1", owner: "o1" }));
    assert.deepEqual(types(store.put(object("a", "5", { uid: "u2", owner: "o2" }))), ["deleted a@1", "added a@5"]);
    assert.deepEqual(store.byIndex("owner", "o1"), []);
    assert.equal(store.byIndex("owner", "o2").length, 1);
  });

  it("replace() tells the difference, deletions first", () => {
    const store = opened();
    for (const name of ["a", "b", "c"]) store.put(object(name, "1"));
    const changes = store.replace([object("b", "1"), object("c", "2"), object("d", "3")]);
    assert.deepEqual(types(changes), ["deleted a@1", "modified c@2", "added d@3"]);
    assert.deepEqual(
      store
        .list()
        .map(({ metadata }) => metadata.name)
        .sort(),
      ["b", "c", "d"],
    );
  });

  it("finds by controller and by label within a namespace, also after both have changed", () => {
    const store = opened();
    store.put(object("b", "1", { owner: "o1", cluster: "x" }));
    store.put(object("a", "2", { owner: "o1", cluster: "x" }));
    const names = (index: string, value: string) => store.byIndex(index, value).map(({ metadata }) => metadata.name);
    assert.deepEqual(names("owner", "o1"), ["a", "b"]);
    assert.deepEqual(names("owner", "other"), []);
    assert.deepEqual(names("cluster", "n/x"), ["a", "b"]);
    assert.deepEqual(names("cluster", "m/x"), []);
    store.put(object("a", "3", { owner: "o2", cluster: "y" }));
    assert.deepEqual([names("owner", "o1"), names("owner", "o2"), names("cluster", "n/y")], [["b"], ["a"], ["a"]]);
    store.remove({ namespace: "n", name: "b" });
    assert.deepEqual(names("owner", "o1"), []);
    assert.throws(() => store.byIndex("nobody", "x"), /there is no index "nobody"/);
  });

  it("keys become text and come back", () => {
    for (const key of [{ name: "a" }, { namespace: "n", name: "a.b" }]) assert.deepEqual(keyOf(keyText(key)), key);
  });
});
