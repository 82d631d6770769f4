"""Reads back what the sinks wrote, with the packages of those who read them. Prints JSON lines."""

import json
import sys


def tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0})
    accumulator.Reload()
    for tag in accumulator.Tags()["scalars"]:
        for event in accumulator.Scalars(tag):
            print(json.dumps({"tag": tag, "step": event.step, "value": event.value}))


def mlflow(url, run_id):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=url)
    run = client.get_run(run_id)
    print(json.dumps({"status": run.info.status, "params": run.data.params}))
    for tag in run.data.metrics:
        for metric in client.get_metric_history(run_id, tag):
            print(json.dumps({"tag": tag, "step": metric.step, "value": metric.value}))


if __name__ == "__main__":
    {"tensorboard": tensorboard, "mlflow": mlflow}[sys.argv[1]](*sys.argv[2:])
