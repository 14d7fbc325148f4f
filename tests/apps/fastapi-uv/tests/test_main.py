import os

os.environ.setdefault("DATABASE_URL", "postgresql://nowhere")

from ledger.main import app


def test_the_routes_are_there():
    assert "/healthz" in app.openapi()["paths"]
