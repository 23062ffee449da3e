"""What a user of kafka-connect-py does, on the worker at the URL that is the argument.

The worker has the plugins of these tests. Every answer is held against the OpenAPI document that the worker serves: its
path, method and status have to be in it, and its body has to be what it says.
"""

import json
import re
import sys
import time

import jsonschema_rs
import requests
from kafka_connect import KafkaConnect

URL, SOURCE = sys.argv[1:3]
DOCUMENT = requests.get(f"{URL}/openapi.json").json()
SEEN = set()


def operation_at(method, path):
    for template, operations in DOCUMENT["paths"].items():
        parts = re.split(r"\{[a-z]+\}", template)
        if re.fullmatch("[^/]+".join(map(re.escape, parts)), path) and method in operations:
            return operations[method]
    raise AssertionError(f"{method} {path} is not in the document")


def check(response, **_):
    """Holds an answer against the document."""
    request = response.request
    path = request.path_url.split("?")[0]
    operation = operation_at(request.method.lower(), path)
    what = f"{request.method} {path}: {response.status_code} {response.text}"
    declared = operation["responses"].get(str(response.status_code))
    assert declared, f"{what}: a status that is not in the document"
    if "$ref" in declared:
        declared = DOCUMENT["components"]["responses"][declared["$ref"].rsplit("/", 1)[1]]
    if "content" in declared:
        media_type = response.headers["content-type"].split(";")[0]
        schema = declared["content"][media_type]["schema"] | {"components": DOCUMENT["components"]}
        body = response.json() if media_type == "application/json" else response.text
        errors = [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(body)]
        assert not errors, f"{what}: {errors}"
    else:
        assert response.text == "", what
    SEEN.add((operation["operationId"], response.status_code))


class Checked(requests.Session):
    def __init__(self):
        super().__init__()
        self.hooks["response"].append(check)


# kafka-connect-py calls the functions of the module, each of which makes a session.
requests.sessions.Session = Checked
HTTP = Checked()


def eventually(what, holds):
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)


def refused(status, act):
    try:
        act()
    except requests.HTTPError as error:
        assert error.response.status_code == status, error.response.text
        assert error.response.json()["error_code"] == status, error.response.text
    else:
        raise AssertionError(f"not refused, {status} expected")


connect = KafkaConnect(URL)


def states(name, connector, tasks):
    def holds():
        status = connect.get_connector_status(name)
        return status["connector"]["state"] == connector and [task["state"] for task in status["tasks"]] == tasks

    eventually(f"{name} to be {connector} with {tasks}", holds)


assert connect.get_cluster_info()["version"]
assert SOURCE in [plugin["class"] for plugin in connect.list_connector_plugins()]
HTTP.get(f"{URL}/connector-plugins", params={"connectorsOnly": "false"})
HTTP.get(f"{URL}/connector-plugins/{SOURCE}/config")
assert HTTP.get(f"{URL}/health").json()["status"] == "healthy"

# Validate, create, look.
config = {"name": "py", "connector.class": SOURCE, "tasks.max": "2"}
assert connect.validate_connector_config(SOURCE, config)["error_count"] == 0
assert connect.validate_connector_config(SOURCE, config | {"tasks.max": "x"})["error_count"] == 1
created = connect.create_connector({"name": "py", "config": config})
assert (created["name"], created["type"]) == ("py", "source"), created
refused(409, lambda: connect.create_connector({"name": "py", "config": config}))
assert "py" in connect.list_connectors()
states("py", "RUNNING", ["RUNNING", "RUNNING"])
assert connect.list_connectors(expand="status")["py"]["status"]["connector"]["state"] == "RUNNING"
assert connect.list_connectors(expand="info")["py"]["info"]["config"] == config
both = HTTP.get(f"{URL}/connectors?expand=info&expand=status").json()["py"]
assert list(both) == ["info", "status"], both
assert connect.get_connector("py")["tasks"] == [{"connector": "py", "task": 0}, {"connector": "py", "task": 1}]
assert connect.get_connector_config("py") == config

# Update.
config["tasks.max"] = "1"
assert connect.update_connector("py", config)["config"]["tasks.max"] == "1"
states("py", "RUNNING", ["RUNNING"])
patched = HTTP.patch(f"{URL}/connectors/py/config", json={"script.size": 8}).json()
assert patched["config"]["script.size"] == "8", patched
states("py", "RUNNING", ["RUNNING"])
put = HTTP.put(f"{URL}/connectors/other/config", json=config | {"name": "other"})
assert (put.status_code, put.headers["location"]) == (201, f"{URL}/connectors/other")

# Tasks, restarts, states.
assert [task["id"]["task"] for task in connect.list_connector_tasks("py")] == [0]
assert connect.get_connector_task_status("py", 0)["id"] == 0
connect.restart_connector_task("py", 0)
states("py", "RUNNING", ["RUNNING"])
connect.restart_connector("py")
connect.restart_connector("py", include_tasks=True, only_failed=True)
connect.restart_connector("py", include_tasks=True)
states("py", "RUNNING", ["RUNNING"])
connect.pause_connector("py")
states("py", "PAUSED", ["PAUSED"])
assert "py" in connect.list_connectors(state="PAUSED")
connect.resume_connector("py")
states("py", "RUNNING", ["RUNNING"])

# Topics and offsets.
assert connect.list_connector_topics("py") == {"py": {"topics": []}}
connect.reset_connector_topics("py")
offsets = f"{URL}/connectors/py/offsets"
change = {"offsets": [{"partition": {"file": "a"}, "offset": {"position": 7}}]}
assert HTTP.patch(offsets, json=change).status_code == 400, "only of a stopped connector"
connect.stop_connector("py")
states("py", "STOPPED", [])
assert HTTP.patch(offsets, json=change).status_code == 200
assert HTTP.get(offsets).json() == change
assert HTTP.delete(offsets).status_code == 200
assert HTTP.get(offsets).json() == {"offsets": []}
connect.resume_connector("py")
states("py", "RUNNING", ["RUNNING"])

# Metrics, in both formats.
for media_type in ["text/plain", "application/openmetrics-text"]:
    metrics = HTTP.get(f"{URL}/metrics", headers={"accept": media_type})
    assert 'kafka_connect_connector_status{connector="py",status="running"} 1\n' in metrics.text, metrics.text

# Loggers.
level = HTTP.put(f"{URL}/admin/loggers/lavka_rest", json={"level": "DEBUG"})
assert level.status_code == 200, level.text
assert HTTP.get(f"{URL}/admin/loggers/lavka_rest").json()["level"] == "DEBUG"
HTTP.get(f"{URL}/admin/loggers")
HTTP.put(f"{URL}/admin/loggers/lavka_rest", params={"scope": "cluster"}, json={"level": "INFO"})

# Refusals, and the end.
refused(404, lambda: connect.get_connector("nobody"))
refused(404, lambda: connect.get_connector_task_status("py", 9))
refused(400, lambda: connect.create_connector({"name": "bad", "config": {"connector.class": "no.such.Class"}}))
HTTP.put(f"{URL}/connectors/py/fence")
HTTP.post(f"{URL}/connectors/py/tasks", json=[])
connect.delete_connector("other")
connect.delete_connector("py")
assert "py" not in connect.list_connectors()
refused(404, lambda: connect.delete_connector("py"))

every = {operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()}
print(json.dumps(sorted(SEEN)))
missed = every - {name for name, _ in SEEN} - {"getOpenApi"}
assert not missed, f"operations that were not called: {missed}"
