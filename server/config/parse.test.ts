import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlagName } from "./flags.ts";
import { applyEnvironment, parseArguments } from "./parse.ts";
import { ConfigError, Settings } from "./settings.ts";

function read(name: FlagName, ...argv: string[]): unknown {
  return parseArguments(argv).settings.get(name);
}

function refusal(act: () => unknown): ConfigError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error;
  }
  assert.fail("nothing was refused");
}

test("a flag is read with one dash or two, with = or the next word, and the last of several wins", () => {
  const cases: [string[], string][] = [
    [["--name=a"], "a"],
    [["--name", "a"], "a"],
    [["-name=a"], "a"],
    [["-name", "a"], "a"],
    [["--name=a", "--name=b"], "b"],
    [["--name=a=b"], "a=b"],
    [["--name="], ""],
    [["--name", ""], ""],
    [["--name", "--name"], "--name"],
    [["--name=a", "--"], "a"],
    [[], "default"],
  ];
  for (const [argv, name] of cases) assert.equal(read("name", ...argv), name, argv.join(" "));
});

test("a boolean stands alone or takes Go's words after =", () => {
  for (const argument of ["--auto-tls", "--auto-tls=1", "--auto-tls=t", "--auto-tls=T", "--auto-tls=TRUE"]) {
    assert.equal(read("auto-tls", argument), true, argument);
  }
  for (const word of ["0", "f", "F", "false", "FALSE", "False"]) {
    assert.equal(read("pre-vote", `--pre-vote=${word}`), false, word);
  }
});

test("numbers are read in every base that Go reads", () => {
  const cases: [string, number][] = [
    ["100", 100],
    ["0", 0],
    ["010", 8],
    ["0o10", 8],
    ["0x64", 100],
    ["0b11", 3],
    ["1_000", 1000],
    ["0x_ff", 255],
  ];
  for (const [text, value] of cases) assert.equal(read("heartbeat-interval", `--heartbeat-interval=${text}`), value);
  assert.equal(read("quota-backend-bytes", "--quota-backend-bytes=-1"), -1);
  assert.equal(read("quota-backend-bytes", "--quota-backend-bytes", "-0x10"), -16);
});

test("durations become milliseconds", () => {
  assert.equal(read("grpc-keepalive-interval"), 7_200_000);
  assert.equal(read("watch-progress-notify-interval", "--watch-progress-notify-interval=1s"), 1000);
  assert.equal(read("compaction-sleep-interval", "--compaction-sleep-interval=1h30m"), 5_400_000);
});

test("lists are split, trimmed, each value once; nothing given for a list with a default means the default", () => {
  const urls = (...argv: string[]) =>
    parseArguments(argv)
      .settings.get("listen-client-urls")
      .map(({ url }) => url);
  assert.deepEqual(urls("--listen-client-urls=http://127.0.0.1:2, http://127.0.0.1:1,http://127.0.0.1:2"), [
    "http://127.0.0.1:1",
    "http://127.0.0.1:2",
  ]);
  assert.deepEqual(urls("--listen-client-urls="), ["http://localhost:2379"]);
  assert.deepEqual(read("host-whitelist", "--host-whitelist=a,b,a"), ["a", "b"]);
  assert.deepEqual(read("cors", "--cors="), ["*"]);
  assert.deepEqual(read("cors", "--cors=http://a:1,https://b:2"), ["http://a:1", "https://b:2"]);
});

test("flags that etcd has long dropped are taken with or without a value", () => {
  assert.doesNotThrow(() => parseArguments(["--cluster-active-size=3", "--v", "--vv", "--snapshot", "--force=x"]));
});

test("--help is seen where it stands, before what follows and after what is right", () => {
  for (const argv of [["--help"], ["-h"], ["--name=a", "-help", "--bogus"], ["--help=false"]]) {
    assert.equal(parseArguments(argv).help, true, argv.join(" "));
  }
  assert.equal(refusal(() => parseArguments(["--bogus", "--help"])).exitCode, 2);
});

test("what cannot be read is refused with exit code 2, the flag, the value and what would be right", () => {
  const cases: [string[], RegExp][] = [
    [["--bogus", "1"], /flag provided but not defined: --bogus$/],
    [["--nmae=x"], /not defined: --nmae \(did you mean --name\?\)/],
    [["--listen-client-url=x"], /\(did you mean --listen-client-urls\?\)/],
    [["--hartbeat-intervall=1"], /\(did you mean --heartbeat-interval\?\)/],
    [["--experimental-compaction-batch-limit=5"], /etcd has dropped it; use --compaction-batch-limit\)/],
    [["--experimental-initial-corrupt-check"], /use --feature-gates=InitialCorruptCheck=true\)/],
    [["--proxy=on"], /nothing takes its place/],
    [["--constructor=1"], /not defined: --constructor$/],
    [["--heartbeat-interval=abc"], /"abc" for flag --heartbeat-interval: not a whole number of 0 or more/],
    [["--heartbeat-interval=-5"], /"-5" for flag --heartbeat-interval: not a whole number of 0 or more/],
    [["--heartbeat-interval=1__0"], /not a whole number/],
    [["--heartbeat-interval=1.5"], /not a whole number/],
    [["--heartbeat-interval="], /invalid value "" for flag --heartbeat-interval/],
    [["--heartbeat-interval"], /flag needs an argument: --heartbeat-interval/],
    [["--quota-backend-bytes=99999999999999999999"], /value out of range/],
    [["--max-concurrent-streams=5000000000"], /value out of range: from 0 to 4294967295/],
    [["--auto-tls=maybe"], /invalid boolean value "maybe" for flag --auto-tls: not a boolean: write true or false/],
    [["--grpc-keepalive-min-time=5"], /"5" for flag --grpc-keepalive-min-time: 5 has no unit/],
    [["--listen-client-urls=foo"], /URL scheme must be http, https, unix, or unixs: foo/],
    [["--listen-client-urls=127.0.0.1:2379"], /write http:\/\/127\.0\.0\.1:2379/],
    [["--listen-client-urls=http://127.0.0.1"], /URL address does not have the form "host:port"/],
    [["--listen-client-urls=http://127.0.0.1:1/path"], /URL must not contain a path/],
    [["--listen-client-urls=http://127.0.0.1:99999"], /port 99999 is above 65535/],
    [["--cors=foo"], /"foo" for flag --cors: URL scheme/],
    [["--initial-cluster-state=bad"], /"bad" for flag --initial-cluster-state: there are "new", "existing"/],
    [["--v2-deprecation=foo"], /there are "not-yet"/],
    [["--feature-gates=Bogus=true"], /unrecognized feature gate: Bogus; there are AllAlpha/],
    [["--feature-gates=LeaseCheckpoint"], /missing bool value for LeaseCheckpoint/],
    [["--feature-gates=LeaseCheckpoint=x"], /invalid value of LeaseCheckpoint=x: write true or false/],
    [["--=x"], /bad flag syntax: --=x/],
    [["---x"], /bad flag syntax: ---x/],
  ];
  for (const [argv, message] of cases) {
    const error = refusal(() => parseArguments(argv));
    assert.match(error.message, message, argv.join(" "));
    assert.equal(error.exitCode, 2, argv.join(" "));
  }
});

test("a word that is no flag is refused with exit code 1", () => {
  const cases: [string[], RegExp][] = [
    [["foo"], /"foo" is not a valid flag; a flag begins with --/],
    [["-"], /"-" is not a valid flag/],
    [["--", "foo"], /"foo" is not a valid flag/],
    [["--pre-vote", "false"], /"false" is not a valid flag; write a boolean as --flag=false/],
    [["gateway", "start"], /the gateway mode of etcd is not there yet/],
    [["grpc-proxy", "start"], /the grpc-proxy mode of etcd is not there yet/],
  ];
  for (const [argv, message] of cases) {
    const error = refusal(() => parseArguments(argv));
    assert.match(error.message, message);
    assert.equal(error.exitCode, 1);
  }
});

test("ETCD_ variables give what no flag gave", () => {
  const { settings } = parseArguments(["--name=a"]);
  const notices = applyEnvironment(settings, {
    ETCD_DATA_DIR: "/d",
    ETCD_AUTO_COMPACTION_RETENTION: "1h",
    ETCD_PRE_VOTE: "false",
    ETCD_WAL_DIR: "",
    ETCDX: "1",
    PATH: "/bin",
  });
  assert.equal(settings.get("data-dir"), "/d");
  assert.equal(settings.get("auto-compaction-retention"), "1h");
  assert.equal(settings.get("pre-vote"), false);
  assert.equal(settings.isGiven("wal-dir"), false);
  assert.deepEqual(
    notices.map(({ level, fields }) => [level, fields?.["variable-name"]]),
    [
      ["info", "ETCD_DATA_DIR"],
      ["info", "ETCD_PRE_VOTE"],
      ["info", "ETCD_AUTO_COMPACTION_RETENTION"],
    ],
  );
});

test("a flag and its variable at once stop the start with etcd's fatal line, empty though the variable may be", () => {
  for (const value of ["b", ""]) {
    const { settings } = parseArguments(["--name=a"]);
    const error = refusal(() => applyEnvironment(settings, { ETCD_NAME: value }));
    assert.equal(error.exitCode, 1);
    assert.equal(error.line.level, "fatal");
    assert.match(
      error.line.message,
      /^conflicting environment variable is shadowed by corresponding command-line flag \(either unset/,
    );
    assert.deepEqual(error.line.fields, { "environment-variable": "ETCD_NAME", flag: "--name" });
  }
});

test("a variable that cannot be read is refused with its name", () => {
  const error = refusal(() => applyEnvironment(new Settings(), { ETCD_HEARTBEAT_INTERVAL: "abc" }));
  assert.match(error.message, /invalid value "abc" for ETCD_HEARTBEAT_INTERVAL: not a whole number/);
  assert.equal(error.exitCode, 1);
});

test("unknown ETCD_ variables are warned of by name, never by value; secrets are hidden", () => {
  const notices = applyEnvironment(new Settings(), {
    ETCD_BOGUS: "secret-1",
    ETCD_VERSION: "3.5",
    ETCD_DISCOVERY_PASSWORD: "secret-2",
  });
  assert.equal(JSON.stringify(notices).includes("secret"), false);
  assert.deepEqual(
    notices.filter(({ level }) => level === "warn").map(({ message, fields }) => [message, fields]),
    [
      ["cannot set special environment variable", { key: "ETCD_VERSION", value: "3.5" }],
      ["unrecognized environment variable", { "environment-variable": "ETCD_BOGUS" }],
    ],
  );
});
