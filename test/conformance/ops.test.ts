/** The conformance suite of the paths for operators on our own server. */
import { opsSuite } from "./ops-suite.ts";
import { KVORUM } from "./target.ts";

opsSuite(KVORUM);
