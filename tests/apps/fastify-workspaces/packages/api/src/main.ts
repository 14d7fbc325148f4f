import { greeting } from "@notes/shared";
import fastify from "fastify";
import knex from "knex";

const database = knex({ client: "pg", connection: process.env.DATABASE_URL });
await database.raw("select 1"); // a module may await where it begins
const app = fastify();

app.get("/health", async () => {
  const [row] = await database("notes").count();
  return { words: greeting("workspaces"), notes: Number(row?.count), node: process.version };
});

await app.listen({ port: Number(process.env.PORT), host: process.env.HOST });
