"""The same trivial reward model behind a FastAPI JSON endpoint, as OpenRLHF and verl users run one: POST
/score {"items": [[ids]]} → {"scores": [number]}. One process, as ours; uvloop and httptools when there.

    reward_api.py VOCAB      prints its port as JSON
"""

import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

VOCAB = int(sys.argv[1])
app = FastAPI()


@app.post("/score")
async def score(request: Request):
    items = (await request.json())["items"]
    return JSONResponse({"scores": [sum(ids) / len(ids) / VOCAB for ids in items]})


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
config = uvicorn.Config(app, log_level="warning", access_log=False)
uvicorn.Server(config).run(sockets=[listener])
