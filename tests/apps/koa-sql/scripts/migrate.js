import { readdir, readFile } from "node:fs/promises";
import pg from "pg";

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await client.query("create table if not exists applied (name text primary key)");
const { rows } = await client.query("select name from applied");
const applied = new Set(rows.map((row) => row.name));
for (const name of (await readdir("migrations")).sort()) {
  if (applied.has(name)) continue;
  await client.query("begin");
  await client.query(await readFile(`migrations/${name}`, "utf8"));
  await client.query("insert into applied values ($1)", [name]);
  await client.query("commit");
}
await client.end();
