"""Stripe's Python SDK against a running service: headers that the SDK makes are judged by the service,
headers that `clawback sign` makes are judged by the SDK. Started by scripts/sdk-check.sh.
tests/sdk/node.mjs does the same; the two tables of cases belong together.
"""

import itertools
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import stripe

URL, CLAWBACK, FIRST, SECOND, WRONG = (os.environ[name] for name in ("URL", "CLAWBACK", "FIRST", "SECOND", "WRONG"))
SDK = f"python {stripe.VERSION}"
numbers = itertools.count(1)
wrong = 0


def seconds():
    return int(time.time())


def new_body():
    """As Stripe sends it: indented, and not all ASCII."""
    event = {
        "id": f"evt_sdk_python_{next(numbers)}", "object": "event", "type": "customer.created",
        "api_version": "2026-09-30.endive", "created": seconds(), "livemode": False,
        "data": {"object": {"id": "cus_1", "object": "customer", "name": "Zoë 😀"}},
    }
    return json.dumps(event, indent=2, ensure_ascii=False)


def signed(body, secret, timestamp, scheme="v1"):
    # The SDK has no public maker of headers: this is the function by which it checks them.
    signature = stripe.WebhookSignature._compute_signature(f"{timestamp}.{body}", secret)
    return f"t={timestamp},{scheme}={signature}"


def joined(*headers):
    """One header with the signatures of several."""
    return ",".join([headers[0], *(header.split(",", 1)[1] for header in headers[1:])])


def service(body, header):
    request = urllib.request.Request(URL, body.encode(), {"Stripe-Signature": header})
    try:
        with urllib.request.urlopen(request) as answer:
            return "accepted" if answer.status == 200 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return "refused" if error.code == 400 else f"status {error.code}"


def own_sdk(body, header, secret):
    try:
        event = stripe.Webhook.construct_event(body, header, secret)
    except stripe.SignatureVerificationError:
        return "refused"
    return "accepted" if event["id"] == json.loads(body)["id"] else "another event"


def clawback_sign(body, secrets, timestamp):
    command = [CLAWBACK, "sign", "-", "--timestamp", str(timestamp)]
    env = {**os.environ, "STRIPE_WEBHOOK_SECRETS": ",".join(secrets)}
    return subprocess.run(command, input=body.encode(), env=env, check=True, stdout=subprocess.PIPE).stdout.decode().strip()


def within_one_second(judge):
    """Ages are exact only while the second in which a header was made lasts."""
    for _ in range(20):
        now = seconds()
        verdict = judge(now)
        if seconds() == now:
            return verdict
    return "never within one second"


def check(direction, name, expected, got):
    global wrong
    wrong += got != expected
    mark = "ok" if got == expected else "WRONG"
    print(f"{SDK:<14} {direction:<15} {name:<44} {expected:<9} {got:<9} {mark}", flush=True)


def to_service(name, expected, header, sent=lambda body: body):
    body = new_body()
    check("SDK to service", name, expected, service(sent(body), header(body, seconds())))


def to_service_aged(name, expected, age):
    def judge(now):
        body = new_body()
        return service(body, signed(body, FIRST, now - age))

    check("SDK to service", name, expected, within_one_second(judge))


def to_sdk(name, expected, secrets, secret, age=0):
    body = new_body()
    check("service to SDK", name, expected, own_sdk(body, clawback_sign(body, secrets, seconds() - age), secret))


to_service("the first secret", "accepted", lambda body, now: signed(body, FIRST, now))
to_service("the second secret", "accepted", lambda body, now: signed(body, SECOND, now))
to_service("a secret in its roll: two v1", "accepted",
           lambda body, now: joined(signed(body, FIRST, now), signed(body, SECOND, now)))
to_service("two v1, the first of an unknown secret", "accepted",
           lambda body, now: joined(signed(body, WRONG, now), signed(body, SECOND, now)))
to_service("two v1, both of unknown secrets", "refused",
           lambda body, now: joined(signed(body, WRONG, now), signed(body, f"{WRONG}2", now)))
to_service("an unknown secret", "refused", lambda body, now: signed(body, WRONG, now))
to_service("another body than the signed one", "refused", lambda body, now: signed(body, FIRST, now),
           lambda body: f"{body} ")
to_service("v0 only", "refused", lambda body, now: signed(body, FIRST, now, "v0"))
to_service("a made-up v0 beside v1", "accepted",
           lambda body, now: joined(signed(body, WRONG, now, "v0"), signed(body, FIRST, now)))
to_service_aged("300 s old", "accepted", 300)
to_service_aged("301 s old", "refused", 301)
to_service_aged("300 s in the future", "accepted", -300)
to_service_aged("301 s in the future: the SDKs have no limit", "refused", -301)

to_sdk("the secret", "accepted", [FIRST], FIRST)
to_sdk("a secret in its roll, judged by the first", "accepted", [FIRST, SECOND], FIRST)
to_sdk("a secret in its roll, judged by the second", "accepted", [FIRST, SECOND], SECOND)
to_sdk("an unknown secret", "refused", [FIRST, SECOND], WRONG)
# This SDK counts fractions of a second, so that 300 s are already too old for it.
to_sdk("290 s old", "accepted", [FIRST], FIRST, 290)
to_sdk("301 s old", "refused", [FIRST], FIRST, 301)
to_sdk("an hour in the future: the SDKs have no limit", "accepted", [FIRST], FIRST, -3600)

print(f"{SDK}: {'all as expected' if wrong == 0 else f'{wrong} cases differ'}")
sys.exit(wrong != 0)
