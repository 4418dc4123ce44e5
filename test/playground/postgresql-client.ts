/** PostgreSQL as its customers see it: each one commits numbered rows over its own connection. */
import pg from "pg";
import type { Application, Customer } from "./load-generator.ts";

/** A dead peer never answers: past this, the outcome is unknown and the connection is given up. */
const ANSWER_MS_MAX = 2_000;
const CONNECT_MS_MAX = 1_000;
const LIST_MS_MAX = 10_000;

const TABLE = "CREATE TABLE IF NOT EXISTS commits (id text PRIMARY KEY)";
/** SQLSTATE: somebody else has just made the table. */
const EXISTS = new Set(["42P07", "23505"]);

/** The database at that place (`HOST:PORT`). */
export const postgresqlApplication = (place: string): Application => ({
  noun: "commits",
  customer: () => new DatabaseCustomer(place),
  kept: async () => {
    const client = await connect(place, LIST_MS_MAX);
    if (client === null) return null;
    try {
      const { rows } = await client.query<{ id: string }>("SELECT id FROM commits");
      return new Set(rows.map(({ id }) => id));
    } catch {
      return null;
    } finally {
      giveUp(client);
    }
  },
});

class DatabaseCustomer implements Customer {
  readonly #place: string;
  #client: pg.Client | null = null;

  constructor(place: string) {
    this.#place = place;
  }

  async isServed(): Promise<boolean> {
    if (this.#client !== null) return true;
    const client = await connect(this.#place, ANSWER_MS_MAX);
    if (client === null) return false;
    try {
      await client.query(TABLE);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || !EXISTS.has(error.code ?? "")) {
        giveUp(client);
        return false;
      }
    }
    this.#client = client;
    return true;
  }

  async ask(id: string): Promise<"acknowledged" | "unknown"> {
    try {
      await this.#client?.query("INSERT INTO commits (id) VALUES ($1)", [id]);
      return "acknowledged";
    } catch {
      this.close();
      return "unknown";
    }
  }

  close(): void {
    if (this.#client !== null) giveUp(this.#client);
    this.#client = null;
  }
}

async function connect(place: string, answerMsMax: number): Promise<pg.Client | null> {
  const [host = "", port = ""] = place.split(":");
  const client = new pg.Client({
    ...{ host, port: Number(port), user: "postgres", database: "postgres" },
    connectionTimeoutMillis: CONNECT_MS_MAX,
    query_timeout: answerMsMax,
  });
  // A connection that breaks while idle is noticed by the next query.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch {
    giveUp(client);
    return null;
  }
}

/** Without a goodbye: the other end may be dead, and would be waited for. */
function giveUp(client: pg.Client): void {
  client.connection.stream.destroy();
}
