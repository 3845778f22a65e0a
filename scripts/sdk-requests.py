"""Records the requests that Stripe's Python SDK makes, as JSON on stdout: one entry per call, with method, path,
decoded parameters, and the headers and parts that matter. tests/api/sdk.rs makes the same calls with our client and
compares. Started by scripts/sdk-requests.sh, which installs the SDK.
"""

import email
import email.policy
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import stripe

SECRET = "whsec_recorded"
CONNECTED = {"stripe_account": "acct_1Connected"}
LISTS = ("charges", "payment_intents", "refunds", "disputes", "events", "sessions", "early_fraud_warnings", "reviews",
         "balance_transactions", "webhook_endpoints")

recorded = []


def parts(content_type, body):
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    for part in message.iter_parts():
        fields = {
            "name": part.get_param("name", header="content-disposition"),
            "filename": part.get_filename(),
            "type": part["content-type"],
            "content": part.get_payload(decode=True).decode(),
        }
        yield {name: value for name, value in fields.items() if value is not None}


class Capture(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        content_type = self.headers.get("Content-Type") or ""
        multipart = content_type.startswith("multipart/form-data")
        form = "" if multipart else body.decode()
        request = {
            "method": self.command,
            "host": self.server.host_name,
            "path": url.path,
            "params": sorted(parse_qsl(url.query, True) + parse_qsl(form, True)),
            "version": self.headers.get("Stripe-Version"),
            "account": self.headers.get("Stripe-Account"),
            "context": self.headers.get("Stripe-Context"),
            "idempotency_key": self.headers.get("Idempotency-Key"),
            "authorization": self.headers.get("Authorization"),
            "parts": list(parts(content_type, body)) if multipart else None,
        }
        recorded.append({name: value for name, value in request.items() if value is not None})
        answer = json.dumps(self.answer(url.path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def answer(self, path):
        if self.command == "GET" and path.rsplit("/", 1)[1] in LISTS:
            return {"object": "list", "url": path, "has_more": False, "data": []}
        if path.startswith("/v2/"):
            return {"object": "v2.core.event", "id": "evt_1Thin", "type": "v1.charge.refunded"}
        return {"id": "x_1", "object": "x"}

    do_GET = do_POST = respond

    def log_message(self, *_):
        pass


def serve(host_name):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Capture)
    server.host_name = host_name
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def thin_event(client):
    body = json.dumps({
        "id": "evt_1Thin", "object": "v2.core.event", "type": "v1.charge.refunded", "livemode": False,
        "created": "2026-11-26T09:00:00.000Z", "context": "acct_1Connected",
        "related_object": {"id": "ch_1", "type": "charge", "url": "/v1/charges/ch_1"},
    })
    now = int(time.time())
    # The SDK has no public maker of headers: this is the function by which it checks them.
    signature = stripe.WebhookSignature._compute_signature(f"{now}.{body}", SECRET)
    return client.parse_event_notification(body, f"t={now},v1={signature}", SECRET)


def key(name):
    return {"idempotency_key": f"key-{name}"}


def evidence_file():
    file = io.BytesIO("%PDF-1.7 ü\r\n--x\r\n".encode())
    file.name = 'receipt "1".pdf'
    return file


def calls(client):
    """Names and calls. The names are those of tests/api/sdk.rs."""
    v1 = client.v1
    created = {"gte": 1764000000, "lt": 1764086400}
    thin = thin_event(client)
    return {
        "retrieve_charge": lambda: v1.charges.retrieve(
            "ch_1", {"expand": ["refunds", "balance_transaction"]}, CONNECTED),
        "retrieve_payment_intent": lambda: v1.payment_intents.retrieve("pi_1", {"expand": ["latest_charge"]}),
        "create_refund": lambda: v1.refunds.create({
            "charge": "ch_1", "amount": 1050, "reason": "requested_by_customer", "reverse_transfer": True,
            "refund_application_fee": False,
            "metadata": {"clawback_request": "7d5", "note": "50 % off & more + ü", "unset": ""},
        }, {**CONNECTED, **key("create_refund")}),
        "retrieve_refund": lambda: v1.refunds.retrieve("re_1"),
        "cancel_refund": lambda: v1.refunds.cancel("re_1", options=key("cancel_refund")),
        "refunds_of_charge": lambda: v1.refunds.list({"charge": "ch_1", "limit": 100}),
        "refunds_of_payment_intent": lambda: v1.refunds.list({
            "payment_intent": "pi_1", "limit": 100, "starting_after": "re_9"}),
        "retrieve_dispute": lambda: v1.disputes.retrieve("du_1"),
        "disputes_of_charge": lambda: v1.disputes.list({"charge": "ch_1", "limit": 100}),
        "disputes_of_payment_intent": lambda: v1.disputes.list({"payment_intent": "pi_1", "limit": 100}),
        "stage_evidence": lambda: v1.disputes.update("du_1", {
            "evidence": {
                "customer_name": "Zoë", "uncategorized_text": "",
                "appeal": {"card": {"reason_for_filing": "New facts", "supporting_files": ["file_1", "file_2"]}},
                "enhanced_evidence": {"visa_compelling_evidence_3": {
                    "prior_undisputed_transactions": [{"charge": "ch_2", "shipping_address": {"city": "Bern"}}]}},
            },
            "submit": False,
        }, key("stage_evidence")),
        "submit_evidence": lambda: v1.disputes.update("du_1", {
            "evidence": {"receipt": "file_1"}, "metadata": {"clawback_submission": "1"},
            "intended_submission_method": "manual", "submit": True,
        }, {**CONNECTED, **key("submit_evidence")}),
        "close_dispute": lambda: v1.disputes.close("du_1", options=key("close_dispute")),
        "upload_evidence": lambda: v1.files.create(
            {"purpose": "dispute_evidence", "file": evidence_file()}, {**CONNECTED, **key("upload_evidence")}),
        "retrieve_event": lambda: v1.events.retrieve("evt_1"),
        "events": lambda: v1.events.list({
            "types": ["charge.refunded", "charge.dispute.created"], "created": created, "limit": 100,
            "ending_before": "evt_1"}),
        "retrieve_thin_event": lambda: client.v2.core.events.retrieve("evt_1Thin"),
        "retrieve_related": lambda: thin.fetch_related_object(),
        "webhook_endpoints": lambda: v1.webhook_endpoints.list({"limit": 100}),
        "charges": lambda: v1.charges.list({"created": created, "expand": ["data.balance_transaction"], "limit": 100}),
        "payment_intents": lambda: v1.payment_intents.list({"created": created, "limit": 100}),
        "checkout_sessions": lambda: v1.checkout.sessions.list({"created": created, "limit": 100}),
        "refunds": lambda: v1.refunds.list({"created": created, "limit": 100}),
        "disputes": lambda: v1.disputes.list({"created": created, "limit": 100}),
        "early_fraud_warnings": lambda: v1.radar.early_fraud_warnings.list({"created": created, "limit": 100}),
        "reviews": lambda: v1.reviews.list({"created": created, "limit": 100}),
        "balance_transactions": lambda: v1.balance_transactions.list({
            "created": created, "expand": ["data.source"], "limit": 100}),
    }


def main():
    bases = {"api": serve("api"), "files": serve("files")}
    client = stripe.StripeClient("sk_test_recorded", base_addresses=bases, max_network_retries=0)
    requests = {}
    for name, call in calls(client).items():
        recorded.clear()
        call()
        [requests[name]] = recorded
    # One call per line.
    lines = (f'"{name}": {json.dumps(request, ensure_ascii=False)}' for name, request in requests.items())
    print("{\n" + ",\n".join(lines) + "\n}")


main()
