import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Registry } from "../metrics/registry.ts";
import { createSeries, type Series } from "../metrics/series.ts";
import { handleOps, type OpsAnswer, type OpsFacts, type OpsPlace } from "./ops.ts";

type Facts = OpsFacts & { readonly lines: [string, string][]; readonly series: Series };

function facts(more: Partial<OpsFacts> = {}): Facts {
  const lines: [string, string][] = [];
  const note = (level: string) => (message: string) => void lines.push([level, message]);
  return {
    alarms: () => [],
    leaderId: () => 7n,
    isLearner: () => false,
    serializableRead: async () => undefined,
    linearizableRead: async () => undefined,
    errorText: (error) => (error as Error).message,
    versions: () => ({ server: "3.7.3", cluster: "3.7.0", storage: "3.7.0", kvorum: "0.1.0" }),
    metricsText: async () => ({ contentType: "text/plain; version=0.0.4", body: "a 1\n" }),
    series: createSeries(new Registry()),
    log: { debug: note("debug"), warn: note("warn"), error: note("error") },
    lines,
    ...more,
  } as Facts;
}

function ask(
  target: string,
  given: OpsFacts = facts(),
  method = "GET",
  place: OpsPlace = "metrics",
): Promise<OpsAnswer> {
  const [path = "", query = ""] = target.split("?");
  return handleOps({ method, path, query: new URLSearchParams(query), acceptEncoding: "" }, given, place);
}

const TEXT = ["Content-Type", "text/plain; charset=utf-8"];
const NO_SNIFF = ["X-Content-Type-Options", "nosniff"];
const raised = (...alarms: string[]) => ({ alarms: () => alarms.map((alarm) => ({ alarm, memberId: 1n })) });
const timedOut = { linearizableRead: () => Promise.reject(new Error("etcdserver: request timed out")) };

/** Taken from etcd 3.7.3: what was asked, in which state, and status, headers and body of the answer. */
const RECORDED: [string, Partial<OpsFacts>, number, string[][], string][] = [
  ["/health", {}, 200, [TEXT], '{"health":"true","reason":""}'],
  ["/health?serializable=true", {}, 200, [TEXT], '{"health":"true","reason":""}'],
  ["/health?exclude=NOSPACE", {}, 200, [TEXT], '{"health":"true","reason":""}'],
  ["/health", raised("NOSPACE"), 503, [TEXT, NO_SNIFF], '{"health":"false","reason":"ALARM NOSPACE"}\n'],
  [
    "/health?serializable=true",
    raised("NOSPACE"),
    503,
    [TEXT, NO_SNIFF],
    '{"health":"false","reason":"ALARM NOSPACE"}\n',
  ],
  ["/health?exclude=NOSPACE", raised("NOSPACE"), 200, [TEXT], '{"health":"true","reason":""}'],
  [
    "/health?exclude=NOSPACE",
    raised("NOSPACE", "CORRUPT"),
    503,
    [TEXT, NO_SNIFF],
    '{"health":"false","reason":"ALARM CORRUPT"}\n',
  ],
  [
    "/health?exclude=NOSPACE&exclude=CORRUPT",
    raised("NOSPACE", "CORRUPT"),
    200,
    [TEXT],
    '{"health":"true","reason":""}',
  ],
  ["/health", { leaderId: () => 0n }, 503, [TEXT, NO_SNIFF], '{"health":"false","reason":"RAFT NO LEADER"}\n'],
  ["/health?serializable=true", { leaderId: () => 0n }, 200, [TEXT], '{"health":"true","reason":""}'],
  ["/livez", {}, 200, [TEXT, NO_SNIFF], "ok\n"],
  ["/livez?verbose", {}, 200, [TEXT, NO_SNIFF], "[+]serializable_read ok\nok\n"],
  ["/livez/serializable_read", {}, 200, [TEXT, NO_SNIFF], "ok\n"],
  ["/livez/serializable_read?verbose", {}, 200, [TEXT, NO_SNIFF], "[+]serializable_read ok\nok\n"],
  ["/livez", raised("NOSPACE", "CORRUPT"), 200, [TEXT, NO_SNIFF], "ok\n"],
  ["/livez", { ...timedOut, leaderId: () => 0n }, 200, [TEXT, NO_SNIFF], "ok\n"],
  ["/readyz", {}, 200, [TEXT, NO_SNIFF], "ok\n"],
  [
    "/readyz?verbose",
    {},
    200,
    [TEXT, NO_SNIFF],
    "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n",
  ],
  [
    "/readyz?verbose&exclude=non_learner",
    {},
    200,
    [TEXT, NO_SNIFF],
    "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\nok\n",
  ],
  ["/readyz?exclude=bogus", {}, 200, [TEXT, NO_SNIFF], "ok\n"],
  ["/readyz", raised("NOSPACE"), 200, [TEXT, NO_SNIFF], "ok\n"],
  [
    "/readyz",
    raised("CORRUPT"),
    503,
    [TEXT, NO_SNIFF],
    "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n\n",
  ],
  [
    "/readyz/data_corruption",
    raised("CORRUPT"),
    503,
    [TEXT, NO_SNIFF],
    "[-]data_corruption failed: alarm activated: CORRUPT\n\n",
  ],
  ["/readyz?exclude=data_corruption", raised("CORRUPT"), 200, [TEXT, NO_SNIFF], "ok\n"],
  [
    "/readyz?exclude=data_corruption",
    timedOut,
    503,
    [TEXT, NO_SNIFF],
    "[+]serializable_read ok\n[-]linearizable_read failed: etcdserver: request timed out\n[+]non_learner ok\n\n",
  ],
  [
    "/readyz/linearizable_read",
    timedOut,
    503,
    [TEXT, NO_SNIFF],
    "[-]linearizable_read failed: etcdserver: request timed out\n\n",
  ],
  [
    "/readyz/non_learner",
    { isLearner: () => true },
    503,
    [TEXT, NO_SNIFF],
    "[-]non_learner failed: not supported for learner\n\n",
  ],
  ["/", {}, 404, [TEXT, NO_SNIFF], "404 page not found\n"],
  ["/health/", {}, 404, [TEXT, NO_SNIFF], "404 page not found\n"],
  ["/HEALTH", {}, 404, [TEXT, NO_SNIFF], "404 page not found\n"],
  ["/livez/nope", {}, 404, [TEXT, NO_SNIFF], "404 page not found\n"],
  ["/version", {}, 404, [TEXT, NO_SNIFF], "404 page not found\n"],
  [
    "//health",
    {},
    307,
    [
      ["Content-Type", "text/html; charset=utf-8"],
      ["Location", "/health"],
    ],
    '<a href="/health">Temporary Redirect</a>.\n\n',
  ],
  [
    "/x/../version?x=1",
    {},
    307,
    [
      ["Content-Type", "text/html; charset=utf-8"],
      ["Location", "/version?x=1"],
    ],
    '<a href="/version?x=1">Temporary Redirect</a>.\n\n',
  ],
];

test("handleOps() answers as etcd was recorded to answer", async () => {
  for (const [target, state, status, headers, body] of RECORDED) {
    assert.deepEqual(await ask(target, facts(state)), { status, headers, body }, target);
  }
});

test("/readyz?linearizable=false asks for a leader instead of a majority; any other value changes nothing", async () => {
  const verbose = { ...timedOut, leaderId: () => 7n };
  const lines = (read: string) => `[+]data_corruption ok\n[+]serializable_read ok\n${read}\n[+]non_learner ok\n`;
  assert.equal((await ask("/readyz?linearizable=false", facts(verbose))).body, "ok\n");
  assert.equal((await ask("/readyz?linearizable=false&verbose", facts())).body, `${lines("[+]leader ok")}ok\n`);
  for (const query of ["linearizable", "linearizable=true", "linearizable=0", "linearizable=False"]) {
    const { status, body } = await ask(`/readyz?${query}`, facts(verbose));
    assert.equal(status, 503, query);
    assert.equal(body, `${lines("[-]linearizable_read failed: etcdserver: request timed out")}\n`, query);
  }
  const without = await ask("/readyz?linearizable=false", facts({ leaderId: () => 0n }));
  assert.deepEqual([without.status, without.body], [503, `${lines("[-]leader failed: RAFT NO LEADER")}\n`]);
});

test("a member that learns, serves nothing or is corrupt is not ready without a majority's word either", async () => {
  const broken: [string, Partial<OpsFacts>][] = [
    ["non_learner", { isLearner: () => true }],
    ["serializable_read", { serializableRead: () => Promise.reject(new Error("closed")) }],
    ["data_corruption", raised("CORRUPT")],
  ];
  for (const [name, state] of broken) {
    const { status, body } = await ask("/readyz?linearizable=false", facts(state));
    assert.equal(status, 503, name);
    assert.match(String(body), new RegExp(`^\\[-\\]${name} failed`, "m"));
  }
  assert.equal((await ask("/livez?linearizable=false", facts({ leaderId: () => 0n }))).status, 200);
  assert.equal((await ask("/readyz/leader", facts())).status, 404);
});

test("other methods than GET are refused with Allow, but for /metrics", async () => {
  const refused = { status: 405, headers: [["Allow", "GET"], TEXT, NO_SNIFF], body: "Method Not Allowed\n" };
  for (const path of ["/health", "/livez", "/readyz", "/livez/serializable_read", "/version"]) {
    for (const method of ["POST", "HEAD", "PUT", "OPTIONS", "TRACE"]) {
      assert.deepEqual(await ask(path, facts(), method, "client"), refused, `${method} ${path}`);
    }
  }
  assert.equal((await ask("/metrics", facts(), "POST")).status, 200);
  assert.equal((await ask("/nope", facts(), "POST")).status, 404);
  assert.deepEqual(await ask("//health", facts(), "POST"), {
    status: 307,
    headers: [["Location", "/health"]],
    body: "",
  });
});

test("/health reads through consensus unless it is told not to, and says why it cannot", async () => {
  const asked: string[] = [];
  const given = facts({
    serializableRead: async () => void asked.push("serializable"),
    linearizableRead: async () => {
      asked.push("linearizable");
      throw new Error('etcdserver: <"no leader">');
    },
  });
  const answer = await ask("/health", given);
  assert.equal(answer.body, '{"health":"false","reason":"RANGE ERROR:etcdserver: \\u003c\\"no leader\\"\\u003e"}\n');
  assert.equal((await ask("/health?serializable=true", given)).status, 200);
  assert.deepEqual(asked, ["linearizable", "serializable"]);
});

test("an alarm that is not known is one too", async () => {
  assert.equal((await ask("/health", facts(raised("NEWER")))).body, '{"health":"false","reason":"ALARM UNKNOWN"}\n');
});

test("/version is there on client listeners, with our own version under a key of its own", async () => {
  const answer = await ask("/version", facts(), "GET", "client");
  assert.deepEqual(answer.headers, [["Content-Type", "application/json"]]);
  assert.equal(answer.body, '{"etcdserver":"3.7.3","etcdcluster":"3.7.0","storage":"3.7.0","kvorum":"0.1.0"}');
  const early = facts({
    versions: () => ({ server: "3.7.3", cluster: undefined, storage: undefined, kvorum: "0.1.0" }),
  });
  assert.equal(
    (await ask("/version", early, "GET", "client")).body,
    '{"etcdserver":"3.7.3","etcdcluster":"not_decided","storage":"unknown","kvorum":"0.1.0"}',
  );
});

test("/metrics is the text, zipped for who asks", async () => {
  const given = facts();
  const plain = await ask("/metrics", given);
  assert.deepEqual(plain, { status: 200, headers: [["Content-Type", "text/plain; version=0.0.4"]], body: "a 1\n" });
  const cases: [string, boolean][] = [
    ["gzip", true],
    ["deflate, gzip;q=0.5", true],
    ["gzip;q=0", false],
    ["gzip; q=0.0", false],
    ["br", false],
    ["", false],
  ];
  for (const [acceptEncoding, zips] of cases) {
    const request = { method: "GET", path: "/metrics", query: new URLSearchParams(), acceptEncoding };
    const { headers, body } = await handleOps(request, given, "client");
    assert.equal(headers[0]?.[0] === "Content-Encoding", zips, acceptEncoding);
    if (zips) assert.equal(gunzipSync(body).toString(), "a 1\n");
  }
  assert.equal(given.series.scrape.requests.with("200").value, 7);
  assert.equal(given.series.scrape.inFlight.value, 0);
});

test("answers are counted, and what is wrong is logged as something that heals", async () => {
  const given = facts(raised("CORRUPT"));
  for (const target of ["/health", "/readyz", "/readyz?exclude=bogus", "/livez"]) await ask(target, given);
  const { server } = given.series;
  assert.equal(server.healthFailures.value, 1);
  assert.equal(server.healthSuccess.value, 0);
  assert.equal(server.healthCheck.with("readyz", "data_corruption").value, 0);
  assert.equal(server.healthCheck.with("livez", "serializable_read").value, 1);
  assert.equal(server.healthChecks.with("readyz", "data_corruption", "error").value, 2);
  assert.equal(server.healthChecks.with("readyz", "non_learner", "success").value, 2);
  assert.deepEqual(
    given.lines.filter(([level]) => level !== "debug"),
    [
      ["warn", "/health error"],
      ["warn", "Health check error"],
      ["warn", "some health checks cannot be excluded"],
      ["warn", "Health check error"],
    ],
  );
});
