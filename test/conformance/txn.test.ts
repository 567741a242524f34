/** The conformance suite of transactions on our own server. */
import { KVORUM } from "./target.ts";
import { txnSuite } from "./txn-suite.ts";

txnSuite(KVORUM);
