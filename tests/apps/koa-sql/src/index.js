import Koa from "koa";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const app = new Koa();

app.use(async (context) => {
  if (context.path !== "/healthcheck") return;
  const { rows } = await pool.query("select count(*)::int from notes");
  context.body = { notes: rows[0].count };
});

app.listen(process.env.PORT);
