//! Promise: evidence is drafted from objects of every shape and API version that Stripe has sent.

use std::collections::BTreeMap;

use clawback::evidence::{Bodies, CalledFor, Policy, Product, Sources, ce3, draft};

use crate::samples;

fn called_for(fields: &[&str]) -> Vec<CalledFor> {
    fields.iter().map(|field| CalledFor { field: (*field).to_owned(), is_strong: true }).collect()
}

#[test]
fn every_sample_of_a_dispute_can_be_drafted_with_every_sample_of_a_charge() {
    let Some(folder) = samples::folder() else { return };
    let samples = samples::samples(&folder);
    let of =
        |part: &'static str| samples.iter().filter(move |(name, _)| name.contains(part)).map(|(_, body)| body.as_str());
    let charges: Vec<_> = of("charge.").collect();
    let wanted = called_for(&["shipping_tracking_number", "refund_refusal_explanation", "service_date"]);
    for dispute in of("charge.dispute.") {
        for charge in &charges {
            let bodies = Bodies { dispute, charge: Some(charge), others: charges.clone(), ..Bodies::default() };
            // Some of the oldest samples show no object.
            let Ok(sources) = Sources::read(&bodies) else { continue };
            let drafted = draft(&sources, &Policy::default(), Product::Digital, &wanted, &BTreeMap::new());
            assert!(drafted.fields.iter().all(|filled| !filled.value.is_empty()), "{drafted:?}");
            let _ = ce3::pair(&sources, &Policy::default(), Product::Digital);
        }
    }
}

#[test]
fn what_stripe_filled_in_of_a_recorded_dispute_is_not_filled_in_again() {
    let Some(folder) = samples::folder() else { return };
    let samples: BTreeMap<_, _> = samples::samples(&folder).into_iter().collect();
    let bodies = Bodies {
        dispute: &samples["dj-stripe/charge.dispute.created.2020-08-27.json"],
        charge: Some(&samples["dj-stripe/charge.succeeded.2020-08-27.json"]),
        ..Bodies::default()
    };
    let sources = Sources::read(&bodies).expect("a dispute");
    let already = [("customer_name".to_owned(), "Jane Doe Test".to_owned())].into();
    let drafted = draft(&sources, &Policy::default(), Product::Digital, &called_for(&["service_date"]), &already);
    let filled: Vec<_> =
        drafted.fields.iter().map(|f| (f.field.as_str(), f.value.as_str(), f.source.as_str())).collect();
    assert_eq!(
        filled,
        [
            ("product_description", "Subscription creation", "charge.description"),
            ("service_date", "16 May 2019", "charge.created"),
        ]
    );
}
