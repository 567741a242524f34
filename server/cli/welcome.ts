/** What a person who typed `npm start` is told once the store runs: what it is, where the data lies, what to type next. */
import { resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { isSecure } from "../config/urls.ts";
import { ETCD_VERSION, KVORUM_VERSION } from "../config/version.ts";
import type { RunningServer } from "./compose.ts";

/** Writes to standard output; the log goes on beside it. */
export function welcome(config: Config, { addresses, member }: RunningServer): void {
  const [first] = addresses;
  const secure = config.clientUrls.listen.every(isSecure);
  const url = `${secure ? "https" : "http"}://${first}`;
  const endpoint = first === "127.0.0.1:2379" ? "" : ` --endpoints=${url}`;
  process.stdout.write(
    [
      "",
      `  Kvorum ${KVORUM_VERSION}, speaking etcd ${ETCD_VERSION}, is ready.`,
      "",
      `  clients    ${addresses.map((address) => `${secure ? "https" : "http"}://${address}`).join(", ")}`,
      `  data       ${resolve(config.dataDir)} (revision ${member.store.currentRevision})`,
      "",
      `  write      etcdctl${endpoint} put hello world`,
      `  read       etcdctl${endpoint} get hello`,
      `  health     curl ${url}/health`,
      "  stop       Ctrl-C",
      "",
      "",
    ].join("\n"),
  );
}
