"""Validates OCSF events, one a line of stdin, against schema 1.8.0: prints how many of each class, exits 1 at the first that fails."""
import collections
import json
import sys

import jsonschema
from ocsf_json_schema.embedded import OcsfJsonSchemaEmbedded
from ocsf_json_schema.loader import get_ocsf_schema

schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
validators = {}
seen = collections.Counter()
for line in sys.stdin:
    event = json.loads(line)
    uid = event["class_uid"]
    if uid not in validators:
        found = schema.get_class_schema(schema.lookup_class_name_from_uid(uid))
        validators[uid] = jsonschema.validators.validator_for(found)(found)
    for error in validators[uid].iter_errors(event):
        sys.exit(f"{error.json_path}: {error.message}\n{line}")
    seen[uid] += 1
json.dump(seen, sys.stdout)
