"""Generates, scores and watches a run over gRPC, with stubs generated from proto/.

    npm run example:python -- --demo
    npm run example:python -- --cluster main

Run it through run.mjs, which makes the environment and the stubs.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "generated"))

import grpc  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from stagecraft.common.v1 import common_pb2  # noqa: E402
from stagecraft.policy.v1 import policy_pb2, policy_pb2_grpc  # noqa: E402
from stagecraft.reward.v1 import reward_pb2, reward_pb2_grpc  # noqa: E402
from stagecraft.trainer.v1 import trainer_pb2, trainer_pb2_grpc  # noqa: E402

# Calls are spread over all addresses; only what is safe to repeat is repeated.
RETRIES = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "stagecraft.reward.v1.RewardService"}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policy", default="127.0.0.1:50051")
    parser.add_argument("--reward", default="127.0.0.1:50052")
    parser.add_argument("--trainer", default="127.0.0.1:50054")
    parser.add_argument("--prompt", default="Tell me a story")
    parser.add_argument("--run", help="run to watch; default the newest")
    parser.add_argument("--create", metavar="CONFIG.json", help="start a PPO run with this config")
    parser.add_argument("--token", help="bearer token")
    parser.add_argument("--ca", help="PEM authority of the servers: TLS")
    parser.add_argument("--cert", help="PEM certificate of this client: mTLS")
    parser.add_argument("--key", help="PEM key of that certificate")
    parser.add_argument("--cluster", metavar="NAME", help="use the cluster that `npm run up` started")
    parser.add_argument("--demo", action="store_true", help="start a tiny cluster first")
    return parser.parse_args()


def address_of(cluster, service):
    """Where `stagecraft up` keeps the addresses of its processes; calls are spread over them."""
    file = pathlib.Path(".stagecraft", "cluster", cluster, "addresses", service)
    return "ipv4:" + ",".join(file.read_text().split())


def open_channel(address, options):
    """A channel with TLS when an authority is given; the token goes with every call."""
    settings = [("grpc.service_config", json.dumps(RETRIES))]
    if options.ca:
        read = lambda name: pathlib.Path(name).read_bytes() if name else None  # noqa: E731
        credentials = grpc.ssl_channel_credentials(
            read(options.ca), read(options.key), read(options.cert)
        )
        if options.token:
            token = grpc.access_token_call_credentials(options.token)
            credentials = grpc.composite_channel_credentials(credentials, token)
        return grpc.secure_channel(address, credentials, settings)
    return grpc.insecure_channel(address, settings)


def metadata_of(options):
    """The token over plaintext, which the servers accept on loopback; TLS carries it by itself."""
    return [("authorization", f"Bearer {options.token}")] if options.token and not options.ca else []


def user(text):
    return common_pb2.Message(role=common_pb2.ROLE_USER, content=text)


def generate(options):
    """Streams one answer to the terminal."""
    request = policy_pb2.GenerateRequest(
        input=policy_pb2.GenerationInput(
            conversation=common_pb2.Conversation(messages=[user(options.prompt)]),
            sampling=common_pb2.SamplingParams(temperature=0.7, max_new_tokens=48, seed=7),
        )
    )
    answer, num_tokens = "", 0
    with open_channel(options.policy, options) as channel:
        stub = policy_pb2_grpc.PolicyServiceStub(channel)
        # Every call has a deadline; this one is for the whole stream.
        for chunk in stub.Generate(request, timeout=60, metadata=metadata_of(options)):
            print(chunk.text, end="", flush=True)
            answer += chunk.text
            num_tokens += len(chunk.token_ids)
            if chunk.finish_reason != common_pb2.FINISH_REASON_UNSPECIFIED:
                versions = ", ".join(str(weights.version) for weights in chunk.weights)
                print(f"\n({num_tokens} tokens by weights {versions})")
    return answer


def score(options, answer):
    """The default reward model's opinion of a conversation that ends with the answer."""
    reply = common_pb2.Message(role=common_pb2.ROLE_ASSISTANT, content=answer)
    conversation = common_pb2.Conversation(messages=[user(options.prompt), reply])
    request = reward_pb2.ScoreBatchRequest(
        items=[reward_pb2.ScoreInput(conversation=conversation)],
        truncation=reward_pb2.TRUNCATION_POLICY_KEEP_END,
    )
    with open_channel(options.reward, options) as channel:
        stub = reward_pb2_grpc.RewardServiceStub(channel)
        response = stub.ScoreBatch(request, timeout=10, metadata=metadata_of(options))
    print(f"score {response.scores[0].value:.3f} by {response.model}@{response.model_version}")


def watch(options, config):
    """Starts a run when a config is given, then follows that run, or the newest, to its end."""
    with open_channel(options.trainer, options) as channel:
        stub = trainer_pb2_grpc.TrainerServiceStub(channel)
        how = {"timeout": 30, "metadata": metadata_of(options)}
        run_id = options.run
        if config is not None:
            request = trainer_pb2.CreateRunRequest(stage="ppo")
            json_format.ParseDict(config, request.config)
            run_id = stub.CreateRun(request, **how).run.run_id
        if run_id is None:
            runs = stub.ListRuns(trainer_pb2.ListRunsRequest(page_size=1), **how).runs
            if not runs:
                print("no run to watch; start one with --create config.json")
                return
            run_id = runs[0].run_id
        for event in events_of(stub, run_id, metadata_of(options)):
            report(run_id, event)


def events_of(stub, run_id, metadata):
    """A connection that has grown old is closed: watches again from the last event on."""
    after = 0
    while True:
        request = trainer_pb2.WatchRunRequest(run_id=run_id, after_sequence=after)
        try:
            for event in stub.WatchRun(request, timeout=3600, metadata=metadata):
                after = event.sequence
                yield event
            return
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(0.2)


def report(run_id, event):
    if event.WhichOneof("event") == "run":
        print(run_id, trainer_pb2.RunState.Name(event.run.state).removeprefix("RUN_STATE_"))
    elif event.WhichOneof("event") == "metrics" and event.metrics["kind"] == "update":
        step, score_, kl = (event.metrics[name] for name in ("step", "score", "kl"))
        print(f"update {step:.0f}  score {score_:.3f}  KL {kl:.4f}", flush=True)


@contextlib.contextmanager
def demo_cluster():
    """examples/demo/cluster.mjs; it ends with its input."""
    script = HERE.parent / "demo" / "cluster.mjs"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["node", str(script)], **pipes) as process:
        line = process.stdout.readline()
        if not line:
            sys.exit("the demo cluster did not start")
        try:
            yield json.loads(line)
        finally:
            process.stdin.close()
            process.wait()


def main():
    options = parse_arguments()
    with contextlib.ExitStack() as stack:
        config = None
        if options.demo:
            demo = stack.enter_context(demo_cluster())
            options.policy, options.reward = demo["policy"], demo["reward"]
            options.trainer, config = demo["trainer"], demo["run"]
        elif options.cluster:
            options.policy = address_of(options.cluster, "policy")
            options.reward = address_of(options.cluster, "reward-model")
            options.trainer = address_of(options.cluster, "trainer")
        if options.create:
            config = json.loads(pathlib.Path(options.create).read_text())
        try:
            answer = generate(options)
            score(options, answer)
            watch(options, config)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
