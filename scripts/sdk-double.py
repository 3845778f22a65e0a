"""Stripe's Python SDK as the client of `clawback stripe-double`: payments, refunds, disputes, files and events, and
errors as the SDK's own classes. Started by scripts/sdk-check.sh with the double's address in DOUBLE.
"""

import io
import json
import os
import urllib.request

import stripe

DOUBLE = os.environ["DOUBLE"]
checked = 0
client = stripe.StripeClient("sk_test_sdk", base_addresses={"api": DOUBLE, "files": DOUBLE}, max_network_retries=0)
v1 = client.v1


def check(what, holds):
    global checked
    checked += 1
    print(f"python {stripe.VERSION}: {what}: {'ok' if holds else 'WRONG'}")
    assert holds, what


def raises(what, error, code, call):
    try:
        call()
    except stripe.StripeError as raised:
        # Some of the SDK's classes have the code in the body only.
        found = (type(raised), (raised.json_body or {}).get("error", {}).get("code"), bool(raised.request_id))
        check(f"{what} raises {error.__name__} {code}", found == (error, code, True))
    else:
        check(f"{what} raises {error.__name__}", False)


def control(path, body):
    request = urllib.request.Request(f"{DOUBLE}/_double/{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def pay(token="pm_card_visa", **more):
    params = {"amount": 1000, "currency": "eur", "confirm": True, "payment_method": token, "metadata": {"order_id": "o_1"}}
    return v1.payment_intents.create({**params, **more})


def payments():
    intent = pay()
    check("a payment succeeds", (intent.status, intent.metadata["order_id"]) == ("succeeded", "o_1"))
    charge = v1.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction", "payment_intent"]})
    check("a charge is expanded", (charge.balance_transaction.amount, charge.payment_intent.id) == (1000, intent.id))
    held = pay(capture_method="manual")
    held = v1.payment_intents.capture(held.id, {"amount_to_capture": 600})
    check("a part is captured", (held.status, held.amount_received) == ("succeeded", 600))
    later = v1.payment_intents.create({"amount": 500, "currency": "eur"})
    later = v1.payment_intents.confirm(later.id, {"payment_method": "pm_card_visa"})
    check("an intent is confirmed later", later.status == "succeeded")
    dropped = v1.payment_intents.cancel(pay(capture_method="manual").id)
    check("an intent is canceled", dropped.status == "canceled")
    raises("a declined card", stripe.CardError, "card_declined", lambda: pay("pm_card_chargeDeclined"))
    direct = v1.charges.create({"amount": 800, "currency": "eur", "source": "tok_visa", "capture": False})
    direct = v1.charges.capture(direct.id, {"amount": 500})
    check("a charge without intent is captured in part", (direct.payment_intent, direct.amount_captured) == (None, 500))


def refunds():
    charge = pay().latest_charge
    params = {"charge": charge, "amount": 300, "metadata": {"clawback": "1"}, "expand": ["charge"]}
    first = v1.refunds.create(params, {"idempotency_key": "k1"})
    again = v1.refunds.create(params, {"idempotency_key": "k1"})
    check("a key gives the same refund", first.id == again.id and again.charge.amount_refunded == 300)
    other = {**params, "amount": 301}
    raises("a key with other parameters", stripe.IdempotencyError, None,
           lambda: v1.refunds.create(other, {"idempotency_key": "k1"}))
    raises("an over-refund", stripe.InvalidRequestError, "amount_too_large",
           lambda: v1.refunds.create({"charge": charge, "amount": 701}))
    raises("an unknown charge", stripe.InvalidRequestError, "resource_missing",
           lambda: v1.refunds.create({"charge": "ch_none"}))
    for _ in range(4):
        v1.refunds.create({"charge": charge, "amount": 10})
    listed = [refund.id for refund in v1.refunds.list({"charge": charge, "limit": 2}).auto_paging_iter()]
    check("a list is paged through", len(listed) == 5 and listed[-1] == first.id)
    back = v1.refunds.list({"charge": charge, "limit": 2, "ending_before": first.id})
    check("and backwards", [refund.id for refund in back.auto_paging_iter()] == listed[:-1][::-1])
    waits = v1.refunds.create({"charge": pay("pm_double_bankTransfer").latest_charge})
    check("a refund is canceled", v1.refunds.cancel(waits.id).status == "canceled")


def disputes():
    intent = pay("pm_card_createDispute")
    dispute = v1.disputes.list({"payment_intent": intent.id}).data[0]
    raises("a disputed charge", stripe.InvalidRequestError, "charge_disputed",
           lambda: v1.refunds.create({"payment_intent": intent.id}))
    receipt = io.BytesIO(b"%PDF-1.7 receipt")
    receipt.name = "receipt.pdf"
    uploaded = v1.files.create({"purpose": "dispute_evidence", "file": receipt})
    check("a file is uploaded", (uploaded.type, uploaded.size) == ("pdf", 16))
    evidence = {"receipt": uploaded.id, "customer_name": "Maya"}
    staged = v1.disputes.update(dispute.id, {"evidence": evidence, "submit": False})
    check("evidence is staged", staged.evidence_details.has_evidence and staged.evidence_details.submission_count == 0)
    sent = v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True})
    check("evidence is submitted", (sent.status, sent.evidence.receipt) == ("under_review", uploaded.id))
    check("the dispute is won", v1.disputes.retrieve(dispute.id).status == "won")
    raises("an unknown field", stripe.InvalidRequestError, "parameter_unknown",
           lambda: v1.disputes.update(dispute.id, {"evidence": {"recipt": "x"}}))
    accepted = v1.disputes.list({"charge": pay("pm_card_createDispute").latest_charge}).data[0]
    check("a dispute is accepted", v1.disputes.close(accepted.id).status == "lost")


def first_dispute(token):
    return v1.disputes.list({"charge": pay(token).latest_charge}).data[0]


def evidence_of_networks():
    fees = first_dispute("pm_card_createComplianceDispute")
    raises("a fee that is not acknowledged", stripe.InvalidRequestError, None,
           lambda: v1.disputes.update(fees.id, {"evidence": {"uncategorized_text": "Ours"}, "submit": True}))
    acknowledged = {"enhanced_evidence": {"visa_compliance": {"fee_acknowledged": True}}}
    sent = v1.disputes.update(fees.id, {"evidence": acknowledged, "submit": True})
    status = sent.evidence_details.enhanced_eligibility.visa_compliance.status
    check("a fee is acknowledged", (sent.status, status) == ("under_review", "fee_acknowledged"))
    fraud = first_dispute("pm_card_createCe3EligibleDispute")
    same = {"customer_purchase_ip": "203.0.113.9", "customer_device_id": "device-0123456789", "product_description": "Kettle"}
    priors = [{**same, "charge": pay().latest_charge} for _ in range(2)]
    compelling = {"disputed_transaction": {**same, "merchandise_or_services": "merchandise"}, "prior_undisputed_transactions": priors}
    evidence = {"enhanced_evidence": {"visa_compelling_evidence_3": compelling}}
    staged = v1.disputes.update(fraud.id, {"evidence": evidence, "submit": False})
    judged = staged.evidence_details.enhanced_eligibility.visa_compelling_evidence_3
    check("compelling evidence qualifies", (judged.status, judged.required_actions) == ("qualified", []))


def appeals():
    lost = first_dispute("pm_card_createDispute")
    v1.disputes.update(lost.id, {"evidence": {"uncategorized_text": "losing_evidence"}})
    bank("appeal", lost.id)
    evidence = {"appeal": {"card": {"reason_for_filing": "Unfair", "supporting_files": []}}}
    sent = v1.disputes.update(lost.id, {"evidence": evidence, "submit": True})
    check("an appeal is submitted", (sent.status, sent.evidence_details.submission_count) == ("appeal_under_review", 2))


def smart_disputes():
    smart = first_dispute("pm_card_createAutoRepresentmentEligibleDispute")
    changed = v1.disputes.update(smart.id, {"intended_submission_method": "manual", "submit": False})
    shown = (changed.intended_submission_method, changed.status, changed.evidence_details.has_evidence)
    check("the merchant means to submit alone", shown == ("manual", "needs_response", False))


def bank(happens, id, **more):
    return control("bank", {"happens": happens, "id": id, **more})


def checkout():
    item = {"quantity": 2, "price_data": {"currency": "eur", "unit_amount": 500, "product_data": {"name": "Kettle"}}}
    page = {"mode": "payment", "line_items": [item], "success_url": "https://shop.example.com/thanks"}
    session = v1.checkout.sessions.create({**page, "payment_intent_data": {"metadata": {"order_id": "o_2"}}})
    bank("session_paid", session.id)
    paid = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    charge = paid.payment_intent.latest_charge
    check("a checkout page is paid", (paid.payment_status, charge.amount, charge.metadata["order_id"]) == ("paid", 1000, "o_2"))
    left = v1.checkout.sessions.expire(v1.checkout.sessions.create(page).id)
    check("a checkout page expires", left.status == "expired")
    warning = bank("fraud_warning", charge.id)
    listed = v1.radar.early_fraud_warnings.list({"charge": charge.id})
    check("a fraud warning is listed", [it.id for it in listed.data] == [warning["id"]] and listed.data[0].actionable)
    review = bank("review", charge.id)
    check("an open review is listed", review["id"] in [it.id for it in v1.reviews.list().data])
    check("a review is approved", v1.reviews.approve(review["id"]).closed_reason == "approved")
    sources = [it.source["object"] for it in v1.balance_transactions.list({"expand": ["data.source"]}).data]
    check("entries of the balance name their sources", {"charge", "dispute"} <= set(sources))


def connect():
    shared = pay(transfer_data={"destination": "acct_sdk"}, application_fee_amount=100)
    charge = v1.charges.retrieve(shared.latest_charge, {"expand": ["transfer", "application_fee"]})
    check("a charge is shared", (charge.transfer.amount, charge.application_fee.amount) == (1000, 100))
    v1.refunds.create({"charge": charge.id, "amount": 500, "reverse_transfer": True, "refund_application_fee": True})
    transfer = v1.transfers.retrieve(charge.transfer.id)
    fee = v1.application_fees.retrieve(charge.application_fee.id)
    check("a refund undoes the sharing", (transfer.amount_reversed, fee.amount_refunded) == (500, 50))
    raises("a transfer that is not there", stripe.InvalidRequestError, None,
           lambda: v1.refunds.create({"charge": pay().latest_charge, "reverse_transfer": True}))
    raises("a fee without a connected account", stripe.InvalidRequestError, None,
           lambda: pay(application_fee_amount=100))
    inquiry = bank("inquiry", pay("pm_double_klarna").latest_charge, amount=400)
    v1.refunds.create({"charge": inquiry["charge"], "amount": 400})
    ended = v1.disputes.retrieve(inquiry["id"])
    details = (ended.status, ended.payment_method_details.type)
    check("the disputed amount ends an inquiry of Klarna", details == ("warning_closed", "klarna"))


def events():
    pay()
    newest = v1.events.list({"types": ["charge.succeeded", "charge.refunded"], "limit": 1}).data[0]
    check("an event has its object", newest.data.object["object"] == "charge")
    check("an event is retrieved", v1.events.retrieve(newest.id).id == newest.id)
    thin = client.v2.core.events.retrieve(newest.id.replace("evt_3", "evt_65", 1))
    check("a thin event names its object", (thin.type, thin.related_object.id) == (f"v1.{newest.type}", newest.data.object["id"]))


def errors():
    for kind, error, code in [
        ("rate_limit", stripe.RateLimitError, "rate_limit"),
        ("conflict", stripe.APIError, "lock_timeout"),
        ("error_before", stripe.APIError, None),
    ]:
        control("faults", {"path": "/v1/charges", "kind": kind})
        raises(kind, error, code, lambda: v1.charges.list())
    control("keys", {"key": "rk_test_sdk", "standing": "restricted", "permissions": []})
    restricted = stripe.StripeClient("rk_test_sdk", base_addresses={"api": DOUBLE})
    raises("a restricted key", stripe.PermissionError, None, lambda: restricted.v1.charges.list())
    wrong = stripe.StripeClient("nonsense", base_addresses={"api": DOUBLE})
    raises("a wrong key", stripe.AuthenticationError, None, lambda: wrong.v1.charges.list())
    control("accounts", {"id": "acct_sdk"})
    connected = v1.charges.list({}, {"stripe_account": "acct_sdk"})
    check("a connected account is another", connected.data == [])


for family in (payments, refunds, disputes, checkout, connect, evidence_of_networks, appeals, smart_disputes, events, errors):
    family()
print(f"the double holds against the SDK in {checked} cases")
