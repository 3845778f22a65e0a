// Stripe's Node SDK against a running service: headers that the SDK makes are judged by the service,
// headers that `clawback sign` makes are judged by the SDK. Started by scripts/sdk-check.sh.
// tests/sdk/python.py does the same; the two tables of cases belong together.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

const { URL: url, CLAWBACK, FIRST, SECOND, WRONG, MODULES } = process.env;
const Stripe = createRequire(`${MODULES}/`)("stripe");
// The webhook helpers never call Stripe; the constructor wants a key all the same.
const stripe = new Stripe("sk_test_none");
const sdk = `node ${Stripe.PACKAGE_VERSION}`;
const seconds = () => Math.floor(Date.now() / 1000);

let made = 0;
let wrong = 0;

// As Stripe sends it: indented, and not all ASCII.
function newBody() {
  made += 1;
  const event = {
    id: `evt_sdk_node_${made}`, object: "event", type: "customer.created", api_version: "2026-09-30.endive",
    created: seconds(), livemode: false, data: { object: { id: "cus_1", object: "customer", name: "Zoë 😀" } },
  };
  return JSON.stringify(event, null, 2);
}

function signed(payload, secret, timestamp, scheme = "v1") {
  return stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp, scheme });
}

// One header with the signatures of several.
function joined(headers) {
  return headers.map((header, place) => (place === 0 ? header : header.replace(/^t=\d+,/, ""))).join(",");
}

async function service(body, header) {
  const answer = await fetch(url, { method: "POST", body, headers: { "Stripe-Signature": header } });
  await answer.text();
  return answer.status === 200 ? "accepted" : answer.status === 400 ? "refused" : `status ${answer.status}`;
}

function ownSdk(body, header, secret) {
  try {
    const event = stripe.webhooks.constructEvent(body, header, secret);
    return event.id === JSON.parse(body).id ? "accepted" : "another event";
  } catch (error) {
    if (error.type === "StripeSignatureVerificationError") return "refused";
    throw error;
  }
}

function clawbackSign(body, secrets, timestamp) {
  const env = { ...process.env, STRIPE_WEBHOOK_SECRETS: secrets.join(",") };
  return execFileSync(CLAWBACK, ["sign", "-", "--timestamp", String(timestamp)], { input: body, env }).toString().trim();
}

// Ages are exact only while the second in which a header was made lasts.
async function withinOneSecond(judge) {
  for (let tries = 0; tries < 20; tries += 1) {
    await new Promise((wake) => setTimeout(wake, 1000 - (Date.now() % 1000)));
    const now = seconds();
    const verdict = await judge(now);
    if (seconds() === now) return verdict;
  }
  return "never within one second";
}

function check(direction, name, expected, got) {
  if (got !== expected) wrong += 1;
  const mark = got === expected ? "ok" : "WRONG";
  console.log([sdk.padEnd(14), direction.padEnd(15), name.padEnd(44), expected.padEnd(9), got.padEnd(9), mark].join(" "));
}

async function toService(name, expected, header, sent = (body) => body) {
  const body = newBody();
  check("SDK to service", name, expected, await service(sent(body), header(body, seconds())));
}

async function toServiceAged(name, expected, age) {
  check("SDK to service", name, expected, await withinOneSecond((now) => {
    const body = newBody();
    return service(body, signed(body, FIRST, now - age));
  }));
}

function toSdk(name, expected, secrets, secret, age = 0) {
  const body = newBody();
  check("service to SDK", name, expected, ownSdk(body, clawbackSign(body, secrets, seconds() - age), secret));
}

await toService("the first secret", "accepted", (body, now) => signed(body, FIRST, now));
await toService("the second secret", "accepted", (body, now) => signed(body, SECOND, now));
await toService("a secret in its roll: two v1", "accepted",
  (body, now) => joined([signed(body, FIRST, now), signed(body, SECOND, now)]));
await toService("two v1, the first of an unknown secret", "accepted",
  (body, now) => joined([signed(body, WRONG, now), signed(body, SECOND, now)]));
await toService("two v1, both of unknown secrets", "refused",
  (body, now) => joined([signed(body, WRONG, now), signed(body, `${WRONG}2`, now)]));
await toService("an unknown secret", "refused", (body, now) => signed(body, WRONG, now));
await toService("another body than the signed one", "refused", (body, now) => signed(body, FIRST, now), (body) => `${body} `);
await toService("v0 only", "refused", (body, now) => signed(body, FIRST, now, "v0"));
await toService("a made-up v0 beside v1", "accepted",
  (body, now) => joined([signed(body, WRONG, now, "v0"), signed(body, FIRST, now)]));
await toServiceAged("300 s old", "accepted", 300);
await toServiceAged("301 s old", "refused", 301);
await toServiceAged("300 s in the future", "accepted", -300);
await toServiceAged("301 s in the future: the SDKs have no limit", "refused", -301);

toSdk("the secret", "accepted", [FIRST], FIRST);
toSdk("a secret in its roll, judged by the first", "accepted", [FIRST, SECOND], FIRST);
toSdk("a secret in its roll, judged by the second", "accepted", [FIRST, SECOND], SECOND);
toSdk("an unknown secret", "refused", [FIRST, SECOND], WRONG);
check("service to SDK", "300 s old", "accepted", await withinOneSecond(async (now) => {
  const body = newBody();
  return ownSdk(body, clawbackSign(body, [FIRST], now - 300), FIRST);
}));
toSdk("301 s old", "refused", [FIRST], FIRST, 301);
toSdk("an hour in the future: the SDKs have no limit", "accepted", [FIRST], FIRST, -3600);

console.log(`${sdk}: ${wrong === 0 ? "all as expected" : `${wrong} cases differ`}`);
process.exitCode = wrong === 0 ? 0 : 1;
