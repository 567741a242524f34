/** The conformance suite of settings on our own server. */
import { settingsSuite } from "./settings-suite.ts";
import { KVORUM } from "./target.ts";

settingsSuite(KVORUM);
