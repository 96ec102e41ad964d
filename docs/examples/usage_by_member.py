"""What each member used in the last seven days, the newest runs included."""

import json
import os
from urllib.request import Request, urlopen

request = Request(
    os.environ["RUNS_URL"] + "/api/v1/usage/by/member?period=7d",
    headers={"Authorization": f"Bearer {os.environ['RUNS_KEY']}"},
)
with urlopen(request) as answer:
    print(json.dumps(json.load(answer), indent=2))
