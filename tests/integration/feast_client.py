"""Reads features by Feast's Python SDK with a `remote` online store; run by the Python of feast_venv.

    feast_client.py PATH    PATH is the online store's: http://host:port, or .../jobs/<job>

A line of JSON on stdin is a call, {"features": ["view:feature"] or "service": name, "entities":
[row, ...], "full_feature_names": bool}; a line on stdout says what came of it: {"values", "statuses"}
by column, or {"error": {"module", "class", "message"}} of what was raised.
"""

import json
import sys
import tempfile
from pathlib import Path

from feast import FeatureService, FeatureStore
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

REPO = """project: tidemill
provider: local
registry: registry.db
entity_key_serialization_version: 3
offline_store: {{type: dask}}
online_store: {{type: remote, path: "{path}"}}
"""


def read(store, call):
    features = call.get("features") or FeatureService(name=call["service"], features=[])
    response = store.get_online_features(features=features, entity_rows=call["entities"],
                                         full_feature_names=call.get("full_feature_names", False))
    names = response.proto.metadata.feature_names.val
    statuses = {name: [FieldStatus.Name(s) for s in column.statuses]
                for name, column in zip(names, response.proto.results)}
    return {"values": response.to_dict(), "statuses": statuses}


def main():
    with tempfile.TemporaryDirectory(prefix="tidemill-feast-") as repo:
        Path(repo, "feature_store.yaml").write_text(REPO.format(path=sys.argv[1]))
        store = FeatureStore(repo_path=repo)
        for line in sys.stdin:
            try:
                outcome = read(store, json.loads(line))
            except Exception as error:  # whatever it is, the test judges it
                kind = type(error)
                outcome = {"error": {"module": kind.__module__, "class": kind.__name__,
                                     "message": str(error)}}
            print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
