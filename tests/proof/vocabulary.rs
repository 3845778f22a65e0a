//! The fields of the samples that nothing reads, and the values that are read but unknown, as snapshots: so that a
//! change of either shows in review.
//!
//! Nothing is listed by hand. A field is read if corrupting it changes the result for some sample. A text field that
//! accepts any value is vocabulary; a value is known if replacing it changes more than the value itself.

use std::collections::{BTreeMap, BTreeSet};

use clawback::domain::{Facts, derive};
use clawback::handlers::{Reading, read};
use clawback::stripe::envelope::Envelope;
use clawback::stripe::object::FieldError;
use serde_json::{Value, json};

use crate::samples;

/// A value that Stripe does not use.
const NEW_WORD: &str = "a_word_of_tomorrow";

#[test]
fn every_sample_comes_to_what_a_person_expects() {
    let Some(folder) = samples::folder() else { return };
    let lines = samples::samples(&folder).into_iter().map(|(name, body)| {
        assert!(Envelope::read(&body).is_ok(), "{name} would be refused");
        match read(&name, &body, "order_id") {
            Ok(Reading::Facts(..)) => format!("{name}: processed\n"),
            Ok(Reading::Ignored(reason)) => format!("{name}: ignored: {reason}\n"),
            Err(unreadable) => format!("{name}: failed: {unreadable}\n"),
        }
    });
    insta::assert_snapshot!("outcomes", lines.collect::<String>());
}

#[test]
fn unread_fields_and_known_values_match_the_reviewed_page() {
    let Some(folder) = samples::folder() else { return };
    let mut met = Met::default();
    samples::samples(&folder).values().for_each(|body| met.sample(body));
    insta::assert_snapshot!("vocabulary", met.page());
}

/// What occurs in the samples, by object, field and value.
#[derive(Default)]
struct Met {
    versions: BTreeMap<String, usize>,
    /// Objects by type, and whether a sample of it was read.
    types: BTreeMap<String, BTreeSet<String>>,
    read: BTreeMap<String, BTreeSet<String>>,
    unread: BTreeMap<String, BTreeSet<String>>,
    /// Whether a value is known.
    words: BTreeMap<(String, String), BTreeMap<String, bool>>,
}

/// A field of a sample.
struct Field<'a> {
    sample: &'a Value,
    as_it_is: &'a Read,
    /// Its place in the sample, as a JSON pointer.
    pointer: String,
    /// The object that it belongs to, and its path there.
    object: String,
    path: String,
}

impl Met {
    fn sample(&mut self, body: &str) {
        let sample: Value = serde_json::from_str(body).expect("a sample is JSON");
        let version = sample["api_version"].as_str().unwrap_or("none");
        *self.versions.entry(version.to_owned()).or_default() += 1;
        let object = sample["data"]["object"]["object"].as_str().or(sample["object"].as_str()).expect("an object");
        let as_it_is = read_as(&sample);
        let read = matches!(as_it_is.1, Ok(Reading::Facts(..)));
        let carries = format!("{object}{}", if read { "" } else { " (not read)" });
        self.types.entry(sample["type"].as_str().expect("a type").to_owned()).or_default().insert(carries);
        if read {
            let whole = Field {
                sample: &sample,
                as_it_is: &as_it_is,
                pointer: String::new(),
                object: "event".to_owned(),
                path: String::new(),
            };
            self.below(&whole);
        }
    }

    /// Visits each field below another.
    fn below(&mut self, field: &Field<'_>) {
        let value = field.value();
        let names: Vec<String> = match value {
            Value::Object(fields) => fields.keys().cloned().collect(),
            Value::Array(elements) => (0..elements.len()).map(|at| at.to_string()).collect(),
            _ => return,
        };
        for name in names {
            let last = if value.is_array() { "[]".to_owned() } else { format!(".{name}") };
            let path = format!("{}{last}", field.path).trim_start_matches('.').to_owned();
            self.field(Field {
                pointer: format!("{}/{name}", field.pointer),
                object: field.object.clone(),
                path,
                ..*field
            });
        }
    }

    fn field(&mut self, mut field: Field<'_>) {
        if !field.is_read() {
            self.unread.entry(field.object).or_default().insert(field.path);
            return;
        }
        self.read.entry(field.object.clone()).or_default().insert(field.path.clone());
        if let (Some(word), Some(known)) = (field.value().as_str(), field.knows_its_word()) {
            let words = self.words.entry((field.object.clone(), field.path.clone())).or_default();
            *words.entry(word.to_owned()).or_default() |= known;
        }
        // A nested object has its own name and fields; a list of Stripe's has not.
        if let Some(object) = field.value()["object"].as_str().filter(|object| *object != "list") {
            (field.object, field.path) = (object.to_owned(), String::new());
        }
        self.below(&field);
    }

    fn page(&self) -> String {
        let mut page = String::from("API versions met, and in how many samples\n\n");
        self.versions.iter().for_each(|(version, count)| page += &format!("  {version}: {count}\n"));
        page += "\nEvent types met, and the objects they carry\n\n";
        self.types.iter().for_each(|(kind, objects)| page += &format!("  {kind}: {}\n", list(objects)));
        page += "\nWords met, by object and field; in brackets: kept and shown, \
                 and in no sample does anything else depend on it\n\n";
        for ((object, path), words) in &self.words {
            let words = words.iter().map(|(word, known)| if *known { word.clone() } else { format!("({word})") });
            page += &format!("  {object} {path}: {}\n", list(&words.collect()));
        }
        for (object, read) in &self.read {
            let unread = self.unread.get(object).cloned().unwrap_or_default();
            page += &format!("\nFields of {object}\n\n  read: {}\n  not read:\n", list(read));
            unread.difference(read).for_each(|path| page += &format!("    {path}\n"));
        }
        page
    }
}

fn list(words: &BTreeSet<String>) -> String {
    words.iter().cloned().collect::<Vec<_>>().join(", ")
}

impl Field<'_> {
    /// Whether corrupting it changes anything.
    fn is_read(&self) -> bool {
        let spoilt = [json!([[1]]), json!(7.5), json!({ "id": "an id" })];
        spoilt.into_iter().any(|value| read_as(&self.with(value)) != *self.as_it_is)
    }

    /// Whether anything else depends on the value; none where no other value is accepted.
    fn knows_its_word(&self) -> Option<bool> {
        let otherwise = read_as(&self.with(json!(NEW_WORD)));
        let (Ok(Reading::Facts(as_it_is, ..)), Ok(Reading::Facts(otherwise, ..))) = (&self.as_it_is.1, &otherwise.1)
        else {
            return None;
        };
        let names = |facts: &Facts| {
            let refs: Vec<String> = facts.order_refs().map(str::to_owned).collect();
            (facts.ids().into_iter().map(str::to_owned).collect::<Vec<_>>(), refs)
        };
        if names(as_it_is) != names(otherwise) || self.object == "event" {
            return None;
        }
        let word = self.value().as_str().filter(|word| !is_id(word))?;
        Some(all(as_it_is) != all(otherwise).replace(NEW_WORD, word))
    }

    fn value(&self) -> &Value {
        self.sample.pointer(&self.pointer).expect("it was met")
    }

    fn with(&self, value: Value) -> Value {
        let mut sample = self.sample.clone();
        *sample.pointer_mut(&self.pointer).expect("it was met") = value;
        sample
    }
}

/// Stripe's ids have a short prefix for the type, and a long random tail.
fn is_id(text: &str) -> bool {
    let tail = text.rsplit_once('_').map_or("", |(_, tail)| tail);
    tail.len() >= 12 && tail.contains(|letter: char| letter.is_ascii_digit())
}

/// The result of intake and the readers for a sample.
type Read = (Option<Envelope>, Result<Reading, FieldError>);

fn read_as(sample: &Value) -> Read {
    let body = sample.to_string();
    (Envelope::read(&body).ok(), read("evt_sample", &body, "order_id"))
}

/// Everything that is known and derived, as text.
fn all(facts: &Facts) -> String {
    let derived = facts.clone().by_payment().into_iter().map(|(id, facts)| format!("{:?}", derive(&id, &facts)));
    format!("{facts:?}\n{}", derived.collect::<String>())
}
