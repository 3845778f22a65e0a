//! Visa Compelling Evidence 3.0: two earlier, undisputed payments with the same card that share enough with the disputed
//! one (docs.stripe.com/disputes/api/visa-ce3). What Stripe filled in stays. Staging the result without submitting is a
//! dry run: Stripe says whether it qualifies.

use super::ce3_parts::{Element, Parts, equal_fields};
use super::sources::{Object, Sources};
use super::{Filled, Known, Policy, Product};

/// How the names of its fields begin.
pub const PREFIX: &str = "enhanced_evidence.visa_compelling_evidence_3";
const WITHIN: &str = "evidence.enhanced_evidence.visa_compelling_evidence_3";
const DAY: i64 = 86_400;
/// How many days before the disputed charge an earlier one may be made.
const DAYS: std::ops::RangeInclusive<i64> = 120 * DAY..=364 * DAY;
/// Most earlier charges that are compared with each other, the newest first.
const MOST: usize = 200;

/// The two earlier payments, and what to stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The earlier charges.
    pub charges: [String; 2],
    /// The fields that Stripe does not hold yet, flat: `enhanced_evidence.visa_compelling_evidence_3.…`.
    pub fields: Vec<Filled>,
    /// What Stripe would ask for.
    pub notes: Vec<String>,
}

/// Why there is no pair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is about another kind of dispute.
    #[error("Visa Compelling Evidence 3.0 is for Visa disputes with reason code 10.4; this one has {0}")]
    OtherReason(String),
    /// The card cannot be recognised.
    #[error("the disputed charge is not known, or shows no card fingerprint, so earlier payments cannot be found")]
    NoFingerprint,
    /// The customer has too short a history.
    #[error(
        "Visa Compelling Evidence 3.0 takes 2 undisputed payments with the same card, made 120 to 364 days before the disputed one; {0} known here"
    )]
    TooFew(usize),
    /// The history does not match.
    #[error("no 2 earlier payments share enough with the disputed one: {0}")]
    NoMatch(String),
}

/// An earlier payment.
struct Earlier {
    id: String,
    created: i64,
    /// Stripe's parts before ours.
    parts: Parts,
}

/// Finds the pair with most in common, then the newest.
pub fn pair(sources: &Sources, policy: &Policy, product: Product) -> Result<Pair, Why> {
    check_reason(sources)?;
    let known = Known { sources, policy, product };
    let held = Parts::held(sources.dispute.at(&format!("{WITHIN}.disputed_transaction")));
    let disputed = held.clone().or(Parts::disputed(known));
    let named = named_by_stripe(known);
    let chosen = match <[Earlier; 2]>::try_from(named) {
        Ok(both) => both,
        Err(named) => choose(known, &disputed, &named)?,
    };
    let equal = equal_fields(&[&disputed, &chosen[0].parts, &chosen[1].parts]);
    let mut fields = of_disputed(&disputed, &held, &equal);
    fields.extend(of_earlier(known, &chosen, &equal));
    let notes = notes(&disputed, &chosen);
    Ok(Pair { charges: chosen.map(|earlier| earlier.id), fields, notes })
}

fn check_reason(sources: &Sources) -> Result<(), Why> {
    let dispute = &sources.dispute;
    let card = |path: &str| dispute.word(&format!("payment_method_details.card.{path}"));
    let code = card("network_reason_code").or_else(|| dispute.word("network_reason_code"));
    let is_eligible = dispute
        .at("enhanced_eligibility_types")
        .as_array()
        .is_some_and(|types| types.iter().any(|eligible| eligible.as_str() == Some("visa_compelling_evidence_3")));
    let is_visa = card("network").or_else(|| card("brand")).is_none_or(|network| network == "visa");
    if is_eligible || is_visa && code == Some("10.4") {
        return Ok(());
    }
    let network = card("network").or_else(|| card("brand")).unwrap_or("no network");
    Err(Why::OtherReason(format!("{network}, {}", code.unwrap_or("no code"))))
}

/// The earlier payments that Stripe filled in, with what is known of them here.
fn named_by_stripe(known: Known<'_>) -> Vec<Earlier> {
    let held = known.sources.dispute.at(&format!("{WITHIN}.prior_undisputed_transactions"));
    let named = held.as_array().into_iter().flatten().filter_map(|transaction| {
        let id = transaction.get("charge")?.as_str()?.to_owned();
        let ours = known.sources.others.iter().find(|charge| charge.word("id") == Some(id.as_str()));
        let own = ours.map(|charge| Parts::earlier(known, charge)).unwrap_or_default();
        let created = ours.and_then(|charge| charge.integer("created")).unwrap_or_default();
        Some(Earlier { id, created, parts: Parts::held(transaction).or(own) })
    });
    named.collect()
}

fn choose(known: Known<'_>, disputed: &Parts, named: &[Earlier]) -> Result<[Earlier; 2], Why> {
    if known.sources.charge.word("payment_method_details.card.fingerprint").is_none() {
        return Err(Why::NoFingerprint);
    }
    let candidates = candidates(known);
    if candidates.len() < 2 {
        return Err(Why::TooFew(candidates.len()));
    }
    let pairs =
        (0..candidates.len()).flat_map(|first| (first + 1..candidates.len()).map(move |second| [first, second]));
    let with_named = |pair: &[usize; 2]| named.iter().all(|named| pair.iter().any(|at| candidates[*at].id == named.id));
    let score = |pair: &[usize; 2]| {
        let equal = Element::equal(&[disputed, &candidates[pair[0]].parts, &candidates[pair[1]].parts]);
        (Element::qualify(&equal), equal.len(), pair.map(|at| candidates[at].created))
    };
    let best = pairs.filter(with_named).max_by_key(score).ok_or(Why::TooFew(candidates.len()))?;
    if !score(&best).0 {
        let equal = Element::equal(&[disputed, &candidates[best[0]].parts, &candidates[best[1]].parts]);
        return Err(Why::NoMatch(advice(known.policy, &equal)));
    }
    let mut candidates = candidates.into_iter().enumerate().filter(|(at, _)| best.contains(at)).map(|(_, found)| found);
    candidates.next().zip(candidates.next()).map(|(first, second)| [first, second]).ok_or(Why::TooFew(0))
}

/// Earlier payments of the right age, the newest first.
fn candidates(known: Known<'_>) -> Vec<Earlier> {
    let at = known.sources.purchased_at().unwrap_or_default();
    let earlier = |charge: &Object| {
        let created = charge.integer("created").filter(|created| DAYS.contains(&at.saturating_sub(*created)))?;
        Some(Earlier { id: charge.text("id")?, created, parts: Parts::earlier(known, charge) })
    };
    let mut found: Vec<_> = known.sources.undisputed_before().filter_map(earlier).collect();
    found.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    found.dedup_by(|a, b| a.id == b.id);
    found.truncate(MOST);
    found
}

/// What to do so that later disputes qualify.
fn advice(policy: &Policy, equal: &[Element]) -> String {
    let keys = &policy.visa_ce3;
    let (ip, device) = (&keys.customer_purchase_ip, [&keys.customer_device_id, &keys.customer_device_fingerprint]);
    if ip.is_none() && device.iter().all(|key| key.is_none()) {
        return "the IP address or the device must match on all three payments. Stripe shows neither on a charge: write \
                them into the metadata of each payment, and name the keys in visa_ce3.customer_purchase_ip and \
                visa_ce3.customer_device_id"
            .to_owned();
    }
    let equal = equal.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let equal = if equal.is_empty() { "nothing".to_owned() } else { equal };
    format!(
        "either both IP address and device must match on all three payments, or one of them and the e-mail address, the \
         account ID or the full shipping address. What matches: {equal}. A device ID needs at least 15 characters, a \
         device fingerprint at least 20"
    )
}

/// What of the disputed transaction Stripe does not hold: what is equal, and the descriptions.
fn of_disputed(disputed: &Parts, held: &Parts, equal: &[String]) -> Vec<Filled> {
    let wanted = equal.iter().map(String::as_str).chain(["product_description", "merchandise_or_services"]);
    let missing = wanted.filter(|field| held.get(field).is_none());
    let found = missing.filter_map(|field| Some((field, disputed.get(field)?)));
    found.map(|(field, part)| filled(&format!("disputed_transaction.{field}"), part)).collect()
}

/// The earlier transactions, whole, since a list is replaced as a whole; none when Stripe holds all of it.
fn of_earlier(known: Known<'_>, chosen: &[Earlier; 2], equal: &[String]) -> Vec<Filled> {
    let list = known.sources.dispute.at(&format!("{WITHIN}.prior_undisputed_transactions"));
    let wanted: Vec<_> = equal.iter().map(String::as_str).chain(["product_description"]).collect();
    let is_held = |earlier: &Earlier| {
        let held = list.as_array().into_iter().flatten().find(|t| t["charge"].as_str() == Some(earlier.id.as_str()));
        let held = held.map(Parts::held);
        held.is_some_and(|held| wanted.iter().all(|f| held.get(f).is_some() || earlier.parts.get(f).is_none()))
    };
    if chosen.iter().all(is_held) {
        return Vec::new();
    }
    let all = chosen.iter().enumerate().flat_map(|(place, earlier)| {
        let at = format!("prior_undisputed_transactions[{place}]");
        let charge = Filled::new(&format!("{PREFIX}.{at}.charge"), earlier.id.clone(), "earlier charge");
        let parts = earlier.parts.iter().filter(|(field, part)| part.is_held || wanted.contains(field));
        let parts: Vec<_> = parts.map(|(field, part)| filled(&format!("{at}.{field}"), part)).collect();
        std::iter::once(charge).chain(parts)
    });
    all.collect()
}

fn filled(field: &str, part: &super::ce3_parts::Part) -> Filled {
    Filled::new(&format!("{PREFIX}.{field}"), part.value.clone(), part.source.clone())
}

fn notes(disputed: &Parts, chosen: &[Earlier; 2]) -> Vec<String> {
    let all = std::iter::once(("the disputed charge", disputed));
    let all = all.chain(chosen.iter().map(|earlier| (earlier.id.as_str(), &earlier.parts)));
    let silent = all.filter(|(_, parts)| parts.get("product_description").is_none());
    silent.map(|(id, _)| format!("{PREFIX}: {id} has no product_description, which Visa requires")).collect()
}
