/**
 * The demo application: a shop that takes orders into one SQLite file. An order is answered 201
 * only after SQLite's commit has returned with synchronous=FULL, so an answered order must never
 * be lost, whatever happens to the machine.
 *
 *   POST /orders {"id": "..."}   201 {"id", "node", "total"}; the same id twice is one order
 *   GET  /orders                 {"total", "ids"}
 *   GET  /                       a line for people
 */
import { createServer } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const { SHOP_DATA, SHOP_ADDRESS, SHOP_PORT } = process.env;
const NODE = process.env.MIRRORFARM_NODE ?? hostname();
const BODY_BYTES_MAX = 4096;

const database = new DatabaseSync(join(SHOP_DATA, "shop.sqlite"));
database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000");
database.exec("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, node TEXT NOT NULL) STRICT");
const insert = database.prepare("INSERT OR IGNORE INTO orders (id, node) VALUES (?, ?)");
const count = database.prepare("SELECT count(*) AS total FROM orders");
const list = database.prepare("SELECT id FROM orders");

const answer = (response, code, body) => {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};

const server = createServer((request, response) => {
  if (request.method === "GET" && request.url === "/orders") {
    const ids = list.all().map((row) => row.id);
    return answer(response, 200, { total: ids.length, ids });
  }
  if (request.method === "GET") {
    return answer(response, 200, { shop: "open", node: NODE, total: count.get().total });
  }
  if (request.method !== "POST" || request.url !== "/orders") {
    return answer(response, 404, { error: "POST /orders, GET /orders" });
  }
  let text = "";
  request.setEncoding("utf8");
  request.on("data", (part) => {
    text += part;
    if (text.length > BODY_BYTES_MAX) request.destroy();
  });
  request.on("end", () => {
    try {
      const { id } = JSON.parse(text);
      if (typeof id !== "string" || id === "") throw new Error("an order needs an id");
      insert.run(id, NODE);
      answer(response, 201, { id, node: NODE });
    } catch (error) {
      answer(response, 400, { error: error.message });
    }
  });
});
server.listen(Number(SHOP_PORT), SHOP_ADDRESS);
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  database.close();
});
