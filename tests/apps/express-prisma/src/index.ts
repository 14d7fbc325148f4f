import { PrismaPg } from "@prisma/adapter-pg";
import express from "express";
import { PrismaClient } from "./generated/prisma/client.js";

const adapter = new PrismaPg({ connectionString: process.env.DATABASE_URL });
const prisma = new PrismaClient({ adapter });
const app = express();

app.get("/healthz", async (_, response) => {
  response.json({ notes: await prisma.note.count() });
});

app.listen(Number(process.env.PORT));
