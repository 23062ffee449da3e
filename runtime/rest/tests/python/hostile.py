"""schemathesis on the worker at the URL that is the first argument: requests of every kind, made from the OpenAPI document.

The other arguments are the configuration, the most examples of an operation, and the classes of a source and a sink. The
connectors `source` and `sink` are made again whenever a request removed them, they are stopped before every other change of
offsets, and every other configuration that is sent names a plugin, so that requests get further than the first mistake.
"""

import itertools
import json
import sys

import requests
import schemathesis
from schemathesis.cli import schemathesis as main

URL, CONFIG, EXAMPLES, SOURCE, SINK = sys.argv[1:6]
KEPT = {
    "source": {"connector.class": SOURCE, "tasks.max": "2"},
    "sink": {"connector.class": SINK, "topics": "t"},
}
HTTP = requests.Session()
CALLS = itertools.count()
# Operations by whether they were done at least once.
DONE = {}


def operation_of(case):
    return case.operation.definition.raw["operationId"]


@schemathesis.hook
def before_call(_context, case, **_):
    connector = (case.path_parameters or {}).get("connector")
    if connector in KEPT and HTTP.get(f"{URL}/connectors/{connector}").status_code == 404:
        HTTP.put(f"{URL}/connectors/{connector}/config", json=KEPT[connector]).raise_for_status()
    if connector in KEPT and operation_of(case) in ("alterConnectorOffsets", "resetConnectorOffsets") and next(CALLS) % 2:
        HTTP.put(f"{URL}/connectors/{connector}/stop")
    named = {"createConnector": "config", "putConnectorConfig": None, "validatePluginConfig": None}
    if operation_of(case) in named and isinstance(case.body, dict) and next(CALLS) % 2:
        config = case.body
        if part := named[operation_of(case)]:
            config = case.body.get(part)
        if isinstance(config, dict):
            config["connector.class"] = SINK if connector == "sink" else SOURCE


@schemathesis.hook
def after_call(_context, case, response):
    operation = operation_of(case)
    DONE[operation] = DONE.get(operation, False) or 200 <= response.status_code < 300
    if response.status_code == 201:
        name = requests.utils.quote(response.json()["name"], safe="")
        if name not in KEPT:
            HTTP.delete(f"{URL}/connectors/{name}")


arguments = ["--no-color", "--config-file", CONFIG, "run", f"{URL}/openapi.json", "--seed", "1"]
arguments += ["--max-examples", EXAMPLES, "--continue-on-failure"]
try:
    main(arguments)
except SystemExit as end:
    if end.code:
        raise
print(json.dumps(DONE))
never = {operation for operation, done in DONE.items() if not done} - {"putTaskConfigs", "fenceConnector"}
if len(DONE) < 25 or never:
    sys.exit(f"operations that no generated request got done: {never}")
