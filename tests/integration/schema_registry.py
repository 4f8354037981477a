"""A schema registry for tests: what Confluent's clients and Tidemill ask of one, in memory.

    with SchemaRegistry() as registry:
        registry.url
        registry.texts["order.proto"] = "syntax = ..."  # what a registry prints of a descriptor
"""

import base64
import http.server
import json
import threading


class SchemaRegistry:
    """`answering` False: every request is a 503."""

    def __init__(self):
        self.schemas = []  # [{schema, schemaType, references}], ids from 1
        self.texts = {}  # Protobuf: a file's name, as a client registers it -> its text
        self.answering = True
        self.asked = []  # ids that were asked for, in order
        self._lock = threading.Lock()
        self._server = None

    def __enter__(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._answer(*registry._get(self.path.partition("?")[0]))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(*registry._post(self.path.partition("?")[0], json.loads(body)))

            def _answer(self, status, body):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind, error, trace):
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def register(self, schema):
        """The id of {schema, schemaType, references}."""
        with self._lock:
            if schema not in self.schemas:
                self.schemas.append(schema)
            return self.schemas.index(schema) + 1

    def _get(self, path):
        parts = path.strip("/").split("/")
        if not self.answering:
            return 503, {"error_code": 50301, "message": "out of order"}
        if parts[:2] == ["schemas", "ids"] and len(parts) == 3:
            self.asked.append(int(parts[2]))
            if 0 < int(parts[2]) <= len(self.schemas):
                return 200, self.schemas[int(parts[2]) - 1]
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 404, {"error_code": 404, "message": f"no such path: {path}"}

    def _post(self, path, body):
        parts = path.strip("/").split("/")
        if parts[0] != "subjects" or parts[2:] not in ([], ["versions"]):
            return 404, {"error_code": 404, "message": f"no such path: {path}"}
        schema = {"schema": self._text_of(body), "schemaType": body.get("schemaType", "AVRO"),
                  "references": body.get("references") or []}
        number = self.register(schema)
        return 200, {"id": number, "version": number, "subject": parts[1], **schema}

    def _text_of(self, body):
        """Protobuf: clients may register a file's serialized descriptor, whose first field is the
        file's name; registries give the text."""
        if body.get("schemaType") != "PROTOBUF":
            return body["schema"]
        descriptor = base64.b64decode(body["schema"])
        return self.texts[descriptor[2:2 + descriptor[1]].decode()]
