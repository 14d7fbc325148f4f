const path = require("node:path");
const express = require("express");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.DATABASE_URL });
const app = express();

app.use(express.static(path.join(__dirname, "public")));

app.get("/ready", async (_, response) => {
  const { rows } = await pool.query("select count(*)::int from notes");
  response.json({ notes: rows[0].count });
});

app.listen(process.env.PORT || 3000);
