/** Answers every request; the node's name stands in a file of the replicated directory. */
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { hostname } from "node:os";

writeFileSync("/srv/data/served-by", hostname());
createServer((_, response) => response.end(hostname())).listen(8080);
