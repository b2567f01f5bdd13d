"""A bare route of FastAPI with one indexed SELECT. Prints its address when it is ready.

Arguments: the URL of a populated desk.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from meterctl.utility.store.engine import READS, connect

_SELECT = text("SELECT id, number, state FROM agreement WHERE number = :number")


def _serve(url: str) -> None:
    engine = connect(url).execution_options(**{READS: True})
    app = FastAPI()

    @app.get("/agreement/{number}")
    def agreement(number: str) -> dict[str, Any]:
        with engine.connect() as connection:
            return dict(connection.execute(_SELECT, {"number": number}).one()._mapping)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve(sys.argv[1])
