"""A peer for tests that speaks the protocol by itself: uniform points from a seed, and what can go wrong.

Arguments: {"crash": n}, {"hang": n}, {"nonsense": n}, {"illegal": n}: what it does when it is asked for trial n.
"""

import json
import random
import sys
import time

generator, space, arguments = random.Random(), {}, {}


def value(hp: dict) -> object:
    if "choices" in hp:
        return generator.choice(hp["choices"])
    if hp["type"] == "integer":
        return generator.randint(hp["lower"], hp["upper"])
    return generator.uniform(hp["lower"], hp["upper"])


def answer(message: dict) -> object:
    global space, arguments
    if message["verb"] == "space":
        space, arguments = message["space"], message["arguments"]
        generator.seed(message["seed"])
        if space["conditions"]:
            return {"error": "expected a space without conditions"}
    if message["verb"] != "ask":
        return {}
    print("asked for", message["trial"], file=sys.stderr)
    if arguments.get("crash") == message["trial"]:
        raise ZeroDivisionError("the peer's own fault")
    if arguments.get("hang") == message["trial"]:
        time.sleep(600)
    if arguments.get("nonsense") == message["trial"]:
        return "nonsense"
    configuration = space["constants"] | {hp["name"]: value(hp) for hp in space["hyperparameters"]}
    if arguments.get("illegal") == message["trial"]:
        configuration["a"] = 1e9
    if arguments.get("exhausted") == message["trial"]:
        return {"exhausted": True}
    return {"configuration": configuration}


for line in sys.stdin:
    told = json.loads(line)
    if told["verb"] == "close":
        break
    given = answer(told)
    sys.stdout.write("not a line of JSON\n" if given == "nonsense" else json.dumps(given) + "\n")
    sys.stdout.flush()
