import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { count } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import express from "express";
import { notes } from "./schema.js";

const database = drizzle(process.env.DATABASE_URL!);
// Relative to where the server is started, as many do.
const words = readFileSync("words/hello.txt", "utf8").trim();
mkdirSync("logs", { recursive: true });
writeFileSync("logs/started.log", new Date().toISOString());
const app = express();

app.get("/api/v1/healthz", async (_, response) => {
  const [row] = await database.select({ count: count() }).from(notes);
  response.json({ words, notes: row?.count });
});

app.listen(Number(process.env.PORT ?? 3000));
