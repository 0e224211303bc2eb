# SPDX-License-Identifier: Apache-2.0
"""/openapi.json: it is an OpenAPI 3.1 document, and what strait answers is as it says."""

import json
import re

import jsonschema
import pytest

from servers import small_server
from traffic import exchange

CONFIGURATION = """
service web {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    allow 127.0.0.0/8
    to web
}
service plain { listen 127.0.0.1:8001; to plain }
pool web {
    check tcp every=200ms timeout=300ms rise=1 fall=1
    server 127.0.0.1:9001 name=a
    server 127.0.0.1:9002 name=b backup
}
pool plain {
    server 127.0.0.1:9001
    server localhost:9001 name=named
}
"""
BASE = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture
def daemon(strait, loopback):
    small_server(loopback.server, "echo", ("127.0.0.1", 9001), "a")
    made = strait(loopback.proxy, CONFIGURATION, is_ready="/livez")
    made.wait_for_state("web", "a", "up")
    return made


@pytest.fixture
def document(daemon):
    answer = daemon.get("/openapi.json")
    assert (answer.status, answer.type) == (200, "application/json")
    return answer.json


def operations(document):
    return [(path, method.upper(), operation) for path, item in document["paths"].items()
            for method, operation in item.items()]


def content_of(answer, document):
    """The content of an answer, followed through a reference."""
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    return answer["content"]


def strict(schema):
    """The schema with no keys allowed but those that it names: what is not described is found."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if made.get("type") == "object" and "properties" in made:
        made["additionalProperties"] = False
    return made


def check_answer(document, operation, answer):
    """Status, content type and document are among those described."""
    described = operation["responses"].get(str(answer.status))
    assert described, f"status {answer.status} is not described: {answer.text}"
    content = content_of(described, document)
    kind = answer.type.split(";")[0]
    assert kind in content, f"{kind} is not described"
    if kind.endswith("json"):
        whole = {**content[kind]["schema"], "$schema": BASE, "components": strict(document["components"])}
        jsonschema.Draft202012Validator(whole).validate(answer.json)


def test_structure(document):
    """What the OpenAPI 3.1 specification asks of a document, as far as this one uses it."""
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] and document["info"]["version"]
    assert set(document) <= {"openapi", "info", "servers", "paths", "components", "security", "tags"}
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for path, method, operation in operations(document):
        assert path.startswith("/") and method in ("GET", "PUT", "POST", "DELETE", "PATCH")
        assert operation["summary"] and operation["responses"]
        parameters = operation["parameters"]
        assert len({(p["name"], p["in"]) for p in parameters}) == len(parameters)
        assert {p["name"] for p in parameters if p["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
        assert all(p["required"] for p in parameters if p["in"] == "path")
        assert all(p["in"] in ("path", "query") and p["schema"] and p["description"] for p in parameters)
        assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"])
        assert any(status.startswith("2") for status in operation["responses"])
        assert "requestBody" not in operation or operation["requestBody"]["content"]


def test_references(document):
    """Every reference leads somewhere, and every schema is a JSON Schema that something refers to."""
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    for reference in references:
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert f"#/components/schemas/{name}" in references, name


def test_every_get(document, daemon, loopback):
    """Every GET of a strait that works answers as described, with arguments and with things that are not there."""
    values = {"service": "web", "pool": "web", "server": "a", "min": "1", "client": "127.0.0.1:4000",
              "protocol": "tcp", "format": "json", "limit": "5", "file": "none.js"}
    with exchange(loopback.client.connect(("127.0.0.1", 8000))):
        asked = 0
        for path, method, operation in operations(document):
            if method != "GET" or "text/event-stream" in json.dumps(operation["responses"]):
                continue
            filled = re.sub(r"{(\w+)}", lambda found: values[found[1]], path)
            names = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
            given = "&".join(f"{name}={values[name]}" for name in names if name in values)
            missing = re.sub(r"{\w+}", "nobody", path)
            for target in {filled, f"{filled}?{given}", missing, f"{filled}?{'&'.join(n + '=%20' for n in names)}"}:
                check_answer(document, operation, daemon.get(target))
                asked += 1
        assert asked > 20
        flows = daemon.get("/v1/flows").json["flows"]
        assert len(flows) == 1


def test_other_pools(document, daemon):
    """Documents with what is null or absent in the usual case."""
    pool = document["paths"]["/v1/pools/{pool}"]["get"]
    check_answer(document, pool, daemon.get("/v1/pools/plain"))
    trace = document["paths"]["/v1/trace"]["get"]
    for query in ("client=127.0.0.1&service=web", "client=192.0.2.1&service=web", "client=192.0.2.1&service=plain",
                  "client=127.0.0.1&service=web&protocol=udp"):
        check_answer(document, trace, daemon.get(f"/v1/trace?{query}"))


def test_every_change(document, daemon, loopback):
    """Changes answer as described, good and bad ones; every documented key of a body is taken."""
    def change(method, path, described, body=None, status=None):
        answer = daemon.ask(method, path, body)
        assert answer.status == status, answer.text
        check_answer(document, document["paths"][described][method.lower()], answer)
    servers, server = "/v1/pools/{pool}/servers", "/v1/pools/{pool}/servers/{server}"
    new = {"address": "127.0.0.1:9005", "name": "new", "weight": 2, "max-connections": 7, "backup": True,
           "state": "drain"}
    schema = document["components"]["schemas"]["NewServer"]
    assert set(new) == set(schema["properties"])
    change("POST", "/v1/pools/web/servers", servers, new, 201)
    change("POST", "/v1/pools/web/servers", servers, new, 409)
    change("POST", "/v1/pools/web/servers", servers, {"address": 7}, 422)
    change("POST", "/v1/pools/web/servers", servers, None, 400)
    change("POST", "/v1/pools/nobody/servers", servers, new, 404)
    change("POST", "/v1/pools/plain/servers", servers, {"address": "elsewhere.invalid:80", "name": "far"}, 201)
    patch = {"state": "up", "weight": 3, "flows": "keep"}
    assert set(patch) == set(document["components"]["schemas"]["ServerChange"]["properties"])
    change("PATCH", "/v1/pools/web/servers/new", server, patch, 200)
    change("PATCH", "/v1/pools/plain/servers/far", server, patch, 200)
    change("PATCH", "/v1/pools/web/servers/new", server, {"weight": 0}, 400)
    change("PATCH", "/v1/pools/web/servers/nobody", server, patch, 404)
    change("DELETE", "/v1/pools/web/servers/new?flows=close", server, None, 200)
    change("DELETE", "/v1/pools/web/servers/new", server, None, 404)
    change("DELETE", "/v1/flows/1", "/v1/flows/{id}", None, 404)
    with exchange(loopback.client.connect(("127.0.0.1", 8000))):
        flow = daemon.get("/v1/flows").json["flows"][0]["id"]
        change("DELETE", f"/v1/flows/{flow}", "/v1/flows/{id}", None, 200)
    change("POST", "/v1/confirm", "/v1/confirm", None, 409)
    change("POST", "/v1/reload?dry_run=1", "/v1/reload", None, 200)
    change("POST", "/v1/reload?confirm=60s", "/v1/reload", {}, 200)
    change("POST", "/v1/reload", "/v1/reload", None, 409)
    change("POST", "/v1/confirm", "/v1/confirm", None, 200)
    change("PUT", "/v1/config", "/v1/config", {"text": "nonsense"}, 422)
    change("PUT", "/v1/config?dry_run=1", "/v1/config", daemon.get("/v1/config?format=json").json, 200)


def test_statuses_of_strangers(document, daemon):
    """What is refused before any endpoint is asked is described at all of them."""
    for path, method, operation in operations(document):
        answer = daemon.get(re.sub(r"{\w+}", "x", path), method, {"Host": "evil.example"})
        assert answer.status == 403
        check_answer(document, operation, answer)
