import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { serve } from "@hono/node-server";
import bcrypt from "bcrypt";
import { Hono } from "hono";

const require = createRequire(import.meta.url);
const types = JSON.parse(await readFile(require.resolve("mime-db/db.json"), "utf8"));
const app = new Hono();

app.get("/status", async (context) => {
  const hashed = await bcrypt.compare("hello", await bcrypt.hash("hello", 4));
  return context.json({ hashed, types: "text/html" in types });
});

serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: process.env.HOST });
