//! The cover letter for `uncategorized_text`: who, which dispute, the claim, the facts of the authorisation, what is
//! attached, the request. What is not known is left out; it has no placeholders.

use super::sources::Sources;
use super::{Letter, claims, words};

/// Most earlier payments that are named.
const EARLIER: usize = 10;

/// Writes the letter: at most 20,000 characters. The caller keeps what was generated last and replaces no text that
/// differs from it.
pub fn letter(letter: &Letter<'_>) -> String {
    let mut parts = vec![head(letter), subject(letter), opening(letter)];
    parts.push(claims::claim(letter).join(" "));
    if claims::is_about_fraud(letter.sources.reason()) {
        parts.push(authorisation(letter).join(" "));
        parts.push(earlier(letter.sources));
    }
    parts.push(attachments(letter));
    parts.push(request(letter));
    parts.push(letter.policy.sender.name.as_deref().map(|name| words::line(name, 200)).unwrap_or_default());
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn head(letter: &Letter<'_>) -> String {
    let sender = &letter.policy.sender;
    let address = sender.address.iter().take(8);
    let lines = sender.name.iter().chain(address).chain(&sender.email).chain(&sender.phone);
    let mut lines: Vec<_> = lines.map(|line| words::line(line, 200)).filter(|line| !line.is_empty()).collect();
    lines.push(words::day(letter.on));
    lines.join("\n")
}

fn subject(letter: &Letter<'_>) -> String {
    let dispute = &letter.sources.dispute;
    let id = dispute.word("id").map(|id| words::line(id, 255)).unwrap_or_default();
    let code =
        dispute.word("payment_method_details.card.network_reason_code").or_else(|| dispute.word("network_reason_code"));
    let code = code.map(|code| format!(", reason code {}", words::line(code, 40))).unwrap_or_default();
    format!("To the bank that decides on this dispute\nSubject: Dispute {id}{code}")
}

fn opening(letter: &Letter<'_>) -> String {
    let dispute = &letter.sources.dispute;
    let amount = dispute.money().map(|amount| format!(" of {amount}")).unwrap_or_default();
    let charge =
        letter.sources.charge_id().map(|id| format!(" on charge {}", words::line(&id, 255))).unwrap_or_default();
    let at = letter.sources.purchased_at().and_then(words::date);
    let at = at.map(|at| format!(", paid on {at}")).unwrap_or_default();
    let reason = words::line(letter.sources.reason(), 60).replace('_', " ");
    format!("We contest this dispute{amount}{charge}{at}. The reason given is: {reason}.")
}

/// What the bank itself confirmed when the payment was made.
fn authorisation(letter: &Letter<'_>) -> Vec<String> {
    let charge = &letter.sources.charge;
    let card = |path: &str| charge.word(&format!("payment_method_details.card.{path}"));
    let passed = |check: &str| card(&format!("checks.{check}")) == Some("pass");
    let mut facts = Vec::new();
    let mut say = |is_so: bool, fact: &str| facts.extend(is_so.then(|| fact.to_owned()));
    say(passed("cvc_check"), "The card's security code (CVC) was checked and matched.");
    say(
        passed("address_line1_check"),
        "The street of the billing address was checked with the bank (AVS) and matched.",
    );
    say(
        passed("address_postal_code_check"),
        "The postal code of the billing address was checked with the bank (AVS) and matched.",
    );
    facts.extend(secure(card("three_d_secure.result"), card("three_d_secure.electronic_commerce_indicator")));
    let is_normal = charge.word("outcome.risk_level") == Some("normal");
    facts.extend(is_normal.then(|| "Stripe Radar assessed the risk of the payment as normal.".to_owned()));
    let ip = letter.text("customer_purchase_ip");
    facts.extend(ip.map(|ip| format!("The payment was made from the IP address {ip}.")));
    facts
}

/// What 3-D Secure said, with the electronic commerce indicator.
fn secure(result: Option<&str>, indicator: Option<&str>) -> Option<String> {
    let indicator = indicator.map(|eci| format!(" (ECI {})", words::line(eci, 10))).unwrap_or_default();
    match result? {
        "authenticated" => Some(format!("The cardholder was authenticated with 3-D Secure{indicator}.")),
        "attempt_acknowledged" => {
            Some(format!("3-D Secure was attempted, and the card's bank acknowledged the attempt{indicator}."))
        }
        _ => None,
    }
}

/// Earlier payments with this card that nobody disputed, the newest first.
fn earlier(sources: &Sources) -> String {
    let mut found: Vec<_> = sources.undisputed_before().collect();
    found.sort_by_key(|charge| std::cmp::Reverse(charge.integer("created")));
    let lines = found.into_iter().take(EARLIER).filter_map(|charge| {
        let (id, on) = (words::line(charge.word("id")?, 255), words::date(charge.integer("created")?)?);
        Some(format!("- {on}: {}, charge {id}", charge.money()?))
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("The same card paid us before, and these payments were not disputed:\n{}", lines.join("\n"))
}

/// The files that are there, in the order of the checklist.
fn attachments(letter: &Letter<'_>) -> String {
    let place = |field: &str| letter.called_for.iter().position(|called| called.field == field).unwrap_or(usize::MAX);
    let mut fields: Vec<_> = letter.files.iter().map(|file| file.field).collect();
    fields.sort_by_key(|field| (place(field), *field));
    fields.dedup();
    let named = ('A'..='Z').zip(fields.iter().filter_map(|field| name(field)));
    let lines: Vec<_> = named.map(|(letter, name)| format!("Attachment {letter}: {name}")).collect();
    lines.join("\n")
}

/// What a file is, by its field.
pub(super) fn name(field: &str) -> Option<&'static str> {
    Some(match field {
        "cancellation_policy" => "Cancellation policy",
        "customer_communication" => "Communication with the customer",
        "customer_signature" => "Signature of the customer",
        "duplicate_charge_documentation" => "Documents of the other charge",
        "receipt" => "Receipt",
        "refund_policy" => "Refund policy",
        "service_documentation" => "Documents of the service",
        "shipping_documentation" => "Proof of shipping",
        "uncategorized_file" => "Further evidence",
        _ => return None,
    })
}

fn request(letter: &Letter<'_>) -> String {
    let amount = letter.sources.dispute.money();
    let amount = amount.map(|amount| format!(" and to return {amount} to us")).unwrap_or_default();
    format!("We ask you to decide this dispute in our favour{amount}.")
}
