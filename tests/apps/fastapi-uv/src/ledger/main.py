"""The API: started by uvicorn, which is told where to listen."""

import os

from fastapi import FastAPI
from sqlalchemy import func, insert, select

from ledger.database import engine, entries

app = FastAPI()
database = engine()


@app.get("/healthz")
def healthz():
    with database.connect() as connection:
        total = connection.scalar(select(func.coalesce(func.sum(entries.c.amount), 0)))
    return {"total": total, "page_size": int(os.environ["PAGE_SIZE"])}


@app.post("/entries/{amount}")
def add(amount: int):
    with database.begin() as connection:
        connection.execute(insert(entries).values(amount=amount))
    return {"added": amount}
