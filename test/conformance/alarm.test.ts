/** The conformance suite of alarms and the quota on our own server. */
import { alarmSuite, quotaSuite } from "./alarm-suite.ts";
import { KVORUM } from "./target.ts";

alarmSuite(KVORUM);
quotaSuite(KVORUM);
