import assert from "node:assert/strict";
import { test } from "node:test";
import { handshake, type TlsEnd } from "../../test/operator/handshake.ts";
import { clusterWith } from "../../test/operator/rendered.ts";
import type { CertificateSource, EtcdCluster, TlsSpec } from "../api/etcd-cluster.ts";
import { secretTexts } from "./held.ts";
import { issueAuthority, issueLeaf, type Pair } from "./issue.ts";
import { certificatesIn, fingerprintsOf } from "./pem.ts";
import type { LoadedCertificates, SecretTexts } from "./seen.ts";
import { type CertificateWork, certificateWork } from "./work.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const HOST = "example-1.example-peers.default.svc";

function clusterOf(tls: Partial<TlsSpec>): EtcdCluster {
  const { client, peer, certificates } = clusterWith().spec.tls;
  return clusterWith({ tls: { client, peer, certificates, ...tls } });
}

const OWN: CertificateSource = { operatorCA: {} };
const mutual = (source: CertificateSource = OWN) => ({ mode: "Mutual" as const, source });

/** What one member has read of both Secrets, at some time. */
interface Files {
  readonly server: SecretTexts | undefined;
  readonly peer: SecretTexts | undefined;
}

/** A namespace: its Secrets, its ConfigMaps, and three members that load what there is when they are told to. */
class Namespace {
  readonly secrets = new Map<string, SecretTexts>();
  readonly maps = new Map<string, SecretTexts>();
  readonly loaded: Files[] = [];
  /** So long ago that what is issued in the next hours of this story is good today. */
  now = Date.now() - 10 * HOUR;
  cluster: EtcdCluster;
  rotates = false;

  constructor(tls: Partial<TlsSpec>) {
    this.cluster = clusterOf(tls);
  }

  get files(): Files {
    return { server: this.secrets.get("example-server-tls"), peer: this.secrets.get("example-peer-tls") };
  }

  load(...indexes: readonly number[]): void {
    for (const index of indexes) this.loaded[index] = this.files;
  }

  work(): CertificateWork {
    const members = this.loaded.map((files, index) => loadedBy(`example-${index}`, files));
    const { cluster, secrets, maps, now } = this;
    const work = certificateWork({ cluster, secrets, maps, members, now, rotatesAuthorities: this.rotates });
    this.rotates = false;
    return work;
  }

  /** One pass: all that is due is written. The names, in their order. */
  async pass(): Promise<string[]> {
    const { writes } = this.work();
    for (const write of writes) {
      const { name, data, type } = await write.make();
      assert.equal(type, "kubernetes.io/tls");
      this.secrets.set(name, secretTexts(data));
    }
    return writes.map(({ name }) => name.replace("example-", ""));
  }

  /** Until nothing is due, members loading at once. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) {
      const written = await this.pass();
      this.load(0, 1, 2);
      if (written.length === 0 && this.work().waiting.length === 0) return;
      this.now += 5 * MINUTE;
    }
    assert.fail(`not settled: ${JSON.stringify(this.work())}`);
  }
}

function loadedBy(member: string, { server, peer }: Files): LoadedCertificates {
  const prints = (texts: SecretTexts | undefined, trust: string) =>
    ["tls.crt", trust].flatMap((key) => {
      const text = texts?.get(key);
      return text === undefined ? [] : fingerprintsOf(certificatesIn(text, key));
    });
  return { member, client: prints(server, "clients.crt"), peer: prints(peer, "ca.crt") };
}

function end(texts: SecretTexts | undefined, trust: "ca.crt" | "clients.crt" | undefined): TlsEnd {
  const part = (key: string): string => texts?.get(key) ?? assert.fail(`there is no ${key}`);
  const shown = { cert: part("tls.crt"), key: part("tls.key") };
  return trust === undefined ? shown : { ...shown, ca: part(trust) };
}

/** Every member takes every other, and the operator, whatever each has loaded. */
async function assertAllMeet(space: Namespace, why: string): Promise<void> {
  for (const [index, one] of space.loaded.entries()) {
    for (const [other, two] of space.loaded.entries()) {
      const result = await handshake(end(one.peer, "ca.crt"), end(two.peer, "ca.crt"), HOST);
      assert.equal(result, "ok", `${why}: member ${other} calls member ${index}`);
    }
    const operator = {
      ...end(space.secrets.get("example-operator-tls"), undefined),
      ca: space.files.server?.get("ca.crt") ?? "",
    };
    assert.equal(
      await handshake(end(one.server, "clients.crt"), operator, HOST),
      "ok",
      `${why}: the operator calls ${index}`,
    );
  }
}

test("authorities come first, then what they sign; then nothing is due", async () => {
  const space = new Namespace({ client: mutual(), peer: mutual() });
  const { waiting, problems } = space.work();
  assert.deepEqual([waiting.length, problems], [3, []]);
  assert.deepEqual(await space.pass(), ["client-ca", "peer-ca"]);
  assert.deepEqual(await space.pass(), ["server-tls", "operator-tls", "peer-tls"]);
  space.load(0, 1, 2);
  assert.deepEqual(space.work(), { writes: [], waiting: [], problems: [] });
  await assertAllMeet(space, "at first");
});

test("what is in the Secrets of members signs nothing: keys of authorities stay in theirs", async () => {
  const space = new Namespace({ client: mutual(), peer: mutual() });
  await space.settle();
  const key = space.secrets.get("example-peer-ca")?.get("tls.key") ?? "";
  assert.ok(key.includes("PRIVATE KEY"));
  for (const name of ["server", "operator", "peer"])
    for (const text of space.secrets.get(`example-${name}-tls`)?.values() ?? []) assert.ok(!text.includes(key));
});

test("a leaf is renewed in time under the same authority, and the others beside it", async () => {
  const space = new Namespace({ client: mutual(), peer: mutual() });
  await space.settle();
  const before = space.files.peer;
  space.now += 59 * DAY;
  assert.deepEqual(await space.pass(), []);
  space.now += 2 * DAY;
  assert.deepEqual(await space.pass(), ["server-tls", "operator-tls", "peer-tls"]);
  assert.notEqual(space.files.peer?.get("tls.crt"), before?.get("tls.crt"));
  assert.equal(space.files.peer?.get("ca.crt"), before?.get("ca.crt"));
  space.load(0, 1, 2);
  assert.deepEqual(await space.pass(), []);
});

test("authorities are rotated in passes, and at no moment does anybody refuse anybody", async () => {
  const space = new Namespace({ client: mutual(), peer: mutual() });
  await space.settle();
  const old = space.files.peer?.get("ca.crt") ?? "";
  space.rotates = true;
  assert.deepEqual(await space.pass(), ["client-ca", "peer-ca"]);
  await assertAllMeet(space, "new authorities");

  assert.deepEqual(await space.pass(), ["server-tls", "operator-tls", "peer-tls"]);
  space.load(0, 1);
  await assertAllMeet(space, "trust is wider for two");
  space.now += 10 * MINUTE;
  assert.deepEqual(await space.pass(), ["server-tls"], "what clients check asks no member; the others wait");
  assert.match(space.work().waiting.join("\n"), /peer-tls: example-2 has not loaded the new authority yet/);
  space.load(2);
  await assertAllMeet(space, "trust is wider for all");

  assert.deepEqual(await space.pass(), ["operator-tls", "peer-tls"]);
  space.load(1, 0);
  await assertAllMeet(space, "two show the new ones");
  assert.match(space.work().waiting.join("\n"), /peer-tls: example-2 has not loaded the new certificate yet/);
  space.load(2);

  await space.settle();
  await assertAllMeet(space, "in the end");
  assert.ok(!space.files.peer?.get("ca.crt")?.includes(old.trim()), "the old authority is gone");
  assert.equal(certificatesIn(space.files.server?.get("clients.crt") ?? "", "").length, 1);
});

test("members that say nothing hold a rotation up, but not past the last day of what they show", async () => {
  const space = new Namespace({ client: { mode: "Disabled" }, peer: mutual() });
  await space.settle();
  space.rotates = true;
  await space.pass();
  await space.pass();
  assert.deepEqual(await space.pass(), []);
  space.now += 88 * DAY;
  assert.deepEqual(await space.pass(), []);
  space.now += DAY + HOUR;
  assert.deepEqual(await space.pass(), ["peer-tls"]);
});

test("an authority whose Secret is lost is followed by another without a break", async () => {
  const space = new Namespace({ client: mutual(), peer: mutual() });
  await space.settle();
  space.secrets.delete("example-peer-ca");
  await space.pass();
  await space.pass();
  await assertAllMeet(space, "after the loss");
  await space.settle();
  await assertAllMeet(space, "in the end");
});

// ---- What others bring

const names = {
  commonName: "x",
  dnsNames: ["*.example-peers.default.svc", "example-client.default.svc"],
  ips: [],
};

async function broughtBy(authority: Pair, now: number): Promise<SecretTexts> {
  const pair = await issueLeaf(authority, { names, usages: ["server", "client"], now, lifetimeMs: 60 * DAY });
  return new Map([
    ["ca.crt", authority.certificate.pem],
    ["tls.crt", pair.certificate.pem],
    ["tls.key", pair.key],
  ]);
}

const newAuthority = (now: number): Promise<Pair> =>
  issueAuthority({ commonName: "Corporate", now, lifetimeMs: 900 * DAY });

test("a Secret that a person brings is copied, and exchanged for one of another authority in passes", async () => {
  const space = new Namespace({
    client: mutual({ secretRef: { name: "mine" } }),
    peer: mutual({ secretRef: { name: "mine" } }),
  });
  assert.deepEqual(await space.pass(), ["client-ca"], "the operator's own, for what it shows");
  assert.match(space.work().waiting.join("\n"), /example-server-tls: what it is made of is not there yet/);
  space.secrets.set("mine", await broughtBy(await newAuthority(space.now), space.now));
  await space.settle();
  assert.equal(space.files.peer?.get("tls.crt"), space.secrets.get("mine")?.get("tls.crt"));
  await assertAllMeet(space, "brought");

  space.secrets.set("mine", await broughtBy(await newAuthority(space.now), space.now));
  await space.pass();
  space.load(0);
  await assertAllMeet(space, "trust is wider for one");
  assert.notEqual(space.files.peer?.get("tls.crt"), space.secrets.get("mine")?.get("tls.crt"));
  await space.settle();
  await assertAllMeet(space, "exchanged");
  assert.equal(space.files.peer?.get("tls.crt"), space.secrets.get("mine")?.get("tls.crt"));
  assert.equal(space.files.peer?.get("ca.crt"), space.secrets.get("mine")?.get("ca.crt"));
});

test("another source takes over the same way: from the operator's own authority to cert-manager", async () => {
  const space = new Namespace({ client: mutual(), peer: mutual() });
  await space.settle();
  const certManager = { issuerRef: { name: "i", kind: "Issuer" as const, group: "cert-manager.io" } };
  space.cluster = clusterOf({ client: mutual({ certManager }), peer: mutual({ certManager }) });
  assert.deepEqual(await space.pass(), []);
  const authority = await newAuthority(space.now);
  for (const purpose of ["server", "peer"])
    space.secrets.set(`example-${purpose}-issued`, await broughtBy(authority, space.now));
  await space.pass();
  space.load(1);
  await assertAllMeet(space, "trust is wider for one");
  await space.settle();
  await assertAllMeet(space, "taken over");
  assert.equal(space.files.peer?.get("ca.crt"), authority.certificate.pem);
});

test("a Secret that cannot be used is told of, and what is held stays", async () => {
  const space = new Namespace({ client: { mode: "Disabled" }, peer: mutual({ secretRef: { name: "mine" } }) });
  const good = await broughtBy(await newAuthority(space.now), space.now);
  space.secrets.set("mine", good);
  await space.settle();
  const held = space.files.peer;
  space.secrets.set("mine", new Map([...good, ["tls.key", "nonsense"]]));
  const { writes, problems } = space.work();
  assert.deepEqual(writes, []);
  assert.match(problems.join("\n"), /^Secret "mine", key "tls.key" cannot be read/);
  assert.equal(space.files.peer, held);
});

test("an authority of the operator's that somebody has broken is not replaced behind its back", async () => {
  const space = new Namespace({ client: { mode: "Disabled" }, peer: mutual() });
  await space.settle();
  space.secrets.set("example-peer-ca", new Map([["tls.crt", "nonsense"]]));
  const { writes, problems } = space.work();
  assert.deepEqual(writes, []);
  assert.match(problems.join("\n"), /Secret "example-peer-ca" holds no authority .*: restore it, or delete it/);
});

test("a Secret of members that somebody has emptied is written anew", async () => {
  const space = new Namespace({ client: { mode: "Disabled" }, peer: mutual() });
  await space.settle();
  space.secrets.set("example-peer-tls", new Map());
  assert.deepEqual(await space.pass(), ["peer-tls"]);
});

// ---- Whose clients are let in

test("without mutual TLS clients show nothing, and the operator has nothing to show", async () => {
  const space = new Namespace({ client: { mode: "Server", source: OWN } });
  await space.settle();
  assert.deepEqual([...space.secrets.keys()].sort(), ["example-client-ca", "example-server-tls"]);
  assert.equal(space.files.server?.has("clients.crt"), false);
  const client = { ca: space.files.server?.get("ca.crt") ?? "" };
  assert.equal(await handshake(end(space.files.server, undefined), client, HOST), "ok");
});

test("clients of authorities that the spec adds are let in, and no longer when it does not", async () => {
  const space = new Namespace({ client: mutual() });
  const partner = await newAuthority(space.now);
  const theirs = await issueLeaf(partner, { names, usages: ["client"], now: space.now, lifetimeMs: DAY });
  const call = () =>
    handshake(
      end(space.files.server, "clients.crt"),
      { cert: theirs.certificate.pem, key: theirs.key, ca: space.files.server?.get("ca.crt") ?? "" },
      HOST,
    );
  await space.settle();
  assert.notEqual(await call(), "ok");
  space.maps.set("partners", new Map([["ca.pem", partner.certificate.pem]]));
  space.cluster = clusterOf({ client: mutual(), extraTrust: [{ configMapRef: { name: "partners", key: "ca.pem" } }] });
  assert.deepEqual(await space.pass(), ["server-tls"]);
  assert.equal(await call(), "ok");
  space.cluster = clusterOf({ client: mutual() });
  assert.deepEqual(await space.pass(), ["server-tls"]);
  assert.notEqual(await call(), "ok");
});

test("authorities that cannot be read for the moment lock nobody out", async () => {
  const space = new Namespace({
    client: mutual(),
    extraTrust: [{ secretRef: { name: "old", key: "ca.crt" } }],
  });
  space.secrets.set("old", new Map([["ca.crt", (await newAuthority(space.now)).certificate.pem]]));
  await space.settle();
  const before = space.files.server?.get("clients.crt");
  assert.equal(certificatesIn(before ?? "", "").length, 2);
  for (const broken of [undefined, new Map<string, string>(), new Map([["ca.crt", "nonsense"]])]) {
    if (broken === undefined) space.secrets.delete("old");
    else space.secrets.set("old", broken);
    const { writes, problems } = space.work();
    assert.deepEqual(writes, []);
    assert.match(problems.join("\n"), /Secret "old".*: /);
  }
});

test("a cluster without TLS needs nothing", () => {
  assert.deepEqual(new Namespace({}).work(), { writes: [], waiting: [], problems: [] });
});
