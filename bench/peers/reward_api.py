"""A reward model behind a FastAPI JSON endpoint, as OpenRLHF and verl users run one: POST /score
{"items": [[ids]]} → {"scores": [number]}. One process, as ours; uvloop and httptools when there.

    reward_api.py THREADS [SHAPE(JSON)]      prints its port as JSON

With a shape the model is a random Llama for sequence classification (transformers), without one the
mean of the ids. The items of a call have one length, so that no time goes into padding.
"""

import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

VOCAB = 4096
THREADS = int(sys.argv[1])


def trivial_model():
    return lambda items: [sum(ids) / len(ids) / VOCAB for ids in items]


def llama(shape):
    import torch
    from transformers import AutoModelForSequenceClassification, LlamaConfig

    torch.set_num_threads(THREADS)
    config = LlamaConfig(
        vocab_size=shape["vocab"], hidden_size=shape["width"], intermediate_size=shape["inner"],
        num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
        num_key_value_heads=shape["heads"], max_position_embeddings=512, num_labels=1,
        pad_token_id=0,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config).eval()

    def score(items):
        ids = torch.tensor(items)
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return logits[:, 0].tolist()

    return score


score_items = llama(json.loads(sys.argv[2])) if len(sys.argv) > 2 else trivial_model()
app = FastAPI()


@app.post("/score")
async def score(request: Request):
    items = (await request.json())["items"]
    return JSONResponse({"scores": score_items(items)})


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_keep_alive=600)
uvicorn.Server(config).run(sockets=[listener])
