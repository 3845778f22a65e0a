//! Tolerant reading of one JSON object of Stripe's, field by field.
//!
//! Any field may be missing, and Stripe adds new values: only requested fields are decoded, so that nothing else in
//! a body can make it unreadable. An error names the invalid field. Not here: any particular object
//! ([`crate::handlers`]).

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::Fields;

/// Longest id that is read, in bytes. Stripe documents at most 255 characters.
const MAX_ID: usize = 255;
/// Longest other text that is read, in bytes: far above Stripe's own limits of 500 characters for metadata.
const MAX_TEXT: usize = 5000;
/// 2100-01-01 in unix seconds: a later time is an error.
const MAX_TIME: i64 = 4_102_444_800;

/// Deepest nesting that is read. Stripe expands at most four levels; recursion must end.
const MAX_DEPTH: usize = 16;

/// Whether a value is written as Stripe writes the names of types: `card`, `radar.early_fraud_warning`. Error texts may
/// quote such values, and no others.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let of_names = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
    text.len() <= 64 && text.bytes().all(of_names)
}

/// A field that cannot be read. Operators see this text, so it contains no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The path of the field, such as `data.object.amount`.
    pub field: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A JSON object, its fields not decoded yet.
#[derive(Debug)]
pub struct Object<'a> {
    path: String,
    fields: Fields<'a>,
}

/// A field that holds an id, or the whole object in its place.
#[derive(Debug)]
pub struct Link<'a> {
    /// The id.
    pub id: String,
    /// The object, where Stripe expanded it.
    pub expanded: Option<Object<'a>>,
}

impl<'a> Object<'a> {
    /// Reads the outermost object of a body.
    ///
    /// # Errors
    /// [`FieldError`] when the text is not a JSON object.
    pub fn parse(body: &'a str) -> Result<Self, FieldError> {
        let fields = serde_json::from_str(body);
        let fields = fields.map_err(|_| FieldError { field: "body".to_owned(), problem: "is not a JSON object" })?;
        Ok(Self { path: String::new(), fields })
    }

    /// The object in a field; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when the field holds something else.
    pub fn object(&self, field: &str) -> Result<Option<Self>, FieldError> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        if self.path.matches('.').count() >= MAX_DEPTH {
            return Err(self.wrong(field, "is nested too deeply"));
        }
        let fields = serde_json::from_str(raw.get()).map_err(|_| self.wrong(field, "is not an object"))?;
        Ok(Some(Self { path: self.path_of(field), fields }))
    }

    /// The objects of a list: a bare array, or Stripe's `{"data": [...]}`, each by itself. Ids that were not expanded
    /// are skipped; missing or null is empty.
    ///
    /// # Errors
    /// [`FieldError`] when the field is not a list; in place of an element that is neither object nor id.
    pub fn objects(&self, field: &str) -> Result<Vec<Result<Self, FieldError>>, FieldError> {
        let Some(raw) = self.raw(field) else { return Ok(Vec::new()) };
        let elements = match self.object(field) {
            // Old versions rendered an empty list like this.
            Ok(Some(page)) if page.fields.is_empty() => return Ok(Vec::new()),
            Ok(Some(page)) => page.raw("data").ok_or_else(|| self.wrong(field, "is not a list"))?,
            _ => raw,
        };
        let elements: Vec<&RawValue> =
            serde_json::from_str(elements.get()).map_err(|_| self.wrong(field, "is not a list"))?;
        let objects = elements.into_iter().enumerate().filter(|(_, raw)| !raw.get().starts_with('"'));
        Ok(objects.map(|(at, raw)| Self::element(format!("{}[{at}]", self.path_of(field)), raw)).collect())
    }

    /// The id in a field that holds an id or an expanded object; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when it is neither.
    pub fn link(&self, field: &str) -> Result<Option<Link<'a>>, FieldError> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        if !raw.get().starts_with('{') {
            return Ok(self.optional_id(field)?.map(|id| Link { id, expanded: None }));
        }
        let Some(expanded) = self.object(field)? else { return Ok(None) };
        Ok(Some(Link { id: expanded.id("id")?, expanded: Some(expanded) }))
    }

    /// A required id.
    ///
    /// # Errors
    /// [`FieldError`] when it is missing, empty or not an id.
    pub fn id(&self, field: &str) -> Result<String, FieldError> {
        self.optional_id(field)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// Required text.
    ///
    /// # Errors
    /// [`FieldError`] when it is missing or not text.
    pub fn text(&self, field: &str) -> Result<String, FieldError> {
        self.optional_text(field)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// Text; none when it is missing, null or empty.
    ///
    /// # Errors
    /// [`FieldError`] when it is not text, contains a NUL (which Postgres cannot store) or is too long.
    pub fn optional_text(&self, field: &str) -> Result<Option<String>, FieldError> {
        let text: Option<String> = self.decode(field, "is not text")?;
        match text {
            Some(text) if text.contains('\0') => Err(self.wrong(field, "contains a NUL character")),
            Some(text) if text.len() > MAX_TEXT => Err(self.wrong(field, "is longer than 5000 bytes")),
            text => Ok(text.filter(|text| !text.is_empty())),
        }
    }

    /// A required amount, in minor units, not negative.
    ///
    /// # Errors
    /// [`FieldError`] when it is missing, negative, fractional or beyond 64 bits.
    pub fn amount(&self, field: &str) -> Result<i64, FieldError> {
        self.optional_amount(field)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// An amount; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when it is negative, fractional or beyond 64 bits.
    pub fn optional_amount(&self, field: &str) -> Result<Option<i64>, FieldError> {
        match self.optional_integer(field)? {
            Some(amount) if amount < 0 => Err(self.wrong(field, "is negative")),
            amount => Ok(amount),
        }
    }

    /// An integer of either sign; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when it is fractional, beyond 64 bits or not a number.
    pub fn optional_integer(&self, field: &str) -> Result<Option<i64>, FieldError> {
        self.decode(field, "is not a 64-bit integer")
    }

    /// A positive decimal number in units of 10^-12, truncated to that; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when it is anything else.
    pub fn optional_rate(&self, field: &str) -> Result<Option<u64>, FieldError> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        let rate = rate(raw.get()).filter(|rate| *rate > 0);
        rate.map(Some).ok_or_else(|| self.wrong(field, "is not a positive number"))
    }

    /// A field's JSON object unread, of at most `longest` bytes; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when it is not an object, contains a NUL (which Postgres cannot store) or is too long.
    pub fn optional_json(&self, field: &str, longest: usize) -> Result<Option<Value>, FieldError> {
        let Some(text) = self.raw(field).map(RawValue::get) else { return Ok(None) };
        match serde_json::from_str(text) {
            Ok(Value::Object(_)) if text.len() > longest => Err(self.wrong(field, "is too long")),
            Ok(Value::Object(_)) if text.contains("\\u0000") => Err(self.wrong(field, "contains a NUL character")),
            Ok(value @ Value::Object(_)) => Ok(Some(value)),
            _ => Err(self.wrong(field, "is not an object")),
        }
    }

    /// A required time, in unix seconds.
    ///
    /// # Errors
    /// [`FieldError`] when it is missing, not an integer, or not between 1970 and 2100.
    pub fn time(&self, field: &str) -> Result<i64, FieldError> {
        self.optional_time(field)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// A time in unix seconds; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when it is not an integer, or not between 1970 and 2100.
    pub fn optional_time(&self, field: &str) -> Result<Option<i64>, FieldError> {
        match self.optional_integer(field)? {
            Some(time) if !(0..=MAX_TIME).contains(&time) => {
                Err(self.wrong(field, "is not a time between 1970 and 2100"))
            }
            time => Ok(time),
        }
    }

    /// A boolean; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when it is neither.
    pub fn flag(&self, field: &str) -> Result<Option<bool>, FieldError> {
        self.decode(field, "is neither true nor false")
    }

    /// A required currency, in lower case.
    ///
    /// # Errors
    /// [`FieldError`] when it is missing or not three letters.
    pub fn currency(&self, field: &str) -> Result<String, FieldError> {
        self.optional_currency(field)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// A currency in lower case; none when it is missing or null.
    ///
    /// # Errors
    /// [`FieldError`] when it is not three letters.
    pub fn optional_currency(&self, field: &str) -> Result<Option<String>, FieldError> {
        match self.optional_text(field)?.map(|code| code.to_ascii_lowercase()) {
            Some(code) if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_lowercase()) => {
                Err(self.wrong(field, "is not a three-letter currency code"))
            }
            code => Ok(code),
        }
    }

    /// Every field with its JSON, in the order of the text, duplicate names included.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.iter()
    }

    /// A [`FieldError`] for a field of this object.
    #[must_use]
    pub fn wrong(&self, field: &str, problem: &'static str) -> FieldError {
        FieldError { field: self.path_of(field), problem }
    }

    /// Whether the field is present and not null.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.raw(field).is_some()
    }

    /// An id; none when it is missing, null or empty.
    ///
    /// # Errors
    /// [`FieldError`] when it is not an id.
    pub fn optional_id(&self, field: &str) -> Result<Option<String>, FieldError> {
        match self.optional_text(field)? {
            Some(id) if id.len() > MAX_ID => Err(self.wrong(field, "is longer than 255 bytes")),
            id => Ok(id),
        }
    }

    fn element(path: String, raw: &'a RawValue) -> Result<Self, FieldError> {
        match serde_json::from_str(raw.get()) {
            Ok(fields) => Ok(Self { path, fields }),
            Err(_) => Err(FieldError { field: path, problem: "is not an object" }),
        }
    }

    fn decode<T: DeserializeOwned>(&self, field: &str, problem: &'static str) -> Result<Option<T>, FieldError> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| self.wrong(field, problem))
    }

    fn raw(&self, field: &str) -> Option<&'a RawValue> {
        self.fields.last(field).filter(|raw| raw.get() != "null")
    }

    fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }
}

/// A JSON number, possibly with an exponent, in units of 10^-12. Not a float: reading is exact and repeatable.
fn rate(number: &str) -> Option<u64> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: u128 = [whole, fraction].concat().parse().ok()?;
    let shift = 12 + exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
    let power = 10_u128.checked_pow(shift.unsigned_abs())?;
    let scaled = if shift < 0 { digits / power } else { digits.checked_mul(power)? };
    u64::try_from(scaled).ok()
}

#[cfg(test)]
mod tests {
    use super::{FieldError, Object};

    #[test]
    fn nesting_without_end_is_refused_and_not_followed() {
        let deep = "{\"payment_intent\":".repeat(5_000) + "1" + &"}".repeat(5_000);
        let mut object = Object::parse(&deep).expect("an object");
        let refused = loop {
            match object.object("payment_intent") {
                Ok(next) => object = next.expect("another level"),
                Err(unreadable) => break unreadable,
            }
        };
        assert_eq!(refused.problem, "is nested too deeply");
    }

    #[test]
    fn a_field_is_named_by_its_path() {
        let event = Object::parse(r#"{"data":{"object":{"amount":-1,"big":92233720368547758070,"half":1.5}}}"#)
            .expect("an object");
        let object = event
            .object("data")
            .expect("an object")
            .expect("there")
            .object("object")
            .expect("an object")
            .expect("there");
        let said = |field| object.optional_amount(field).expect_err("no amount").to_string();
        assert_eq!(said("amount"), "data.object.amount: is negative");
        assert_eq!(said("big"), "data.object.big: is not a 64-bit integer");
        assert_eq!(said("half"), "data.object.half: is not a 64-bit integer");
    }

    #[test]
    fn what_nobody_asks_for_may_be_anything() {
        let object = Object::parse(r#"{"description":"\ud800","id":"ch_1","note":"\u0000"}"#).expect("an object");
        assert_eq!(object.id("id").expect("an id"), "ch_1");
        assert_eq!(object.optional_text("note").expect_err("no text").problem, "contains a NUL character");
        assert_eq!(object.optional_text("description").expect_err("no text").problem, "is not text");
    }

    #[test]
    fn an_odd_element_of_a_list_and_an_odd_name_of_a_field_spoil_nothing_but_themselves() {
        let body = r#"{"list":[{"id":"x","\ud800":1},7,null,"an id",{"id":"y"}],"\udfff":2}"#;
        let elements = Object::parse(body).expect("an object").objects("list").expect("a list");
        let said = |element: &Result<Object, FieldError>| match element {
            Ok(object) => object.id("id").expect("an id"),
            Err(unreadable) => unreadable.to_string(),
        };
        let said: Vec<String> = elements.iter().map(said).collect();
        assert_eq!(said, ["x", "list[1]: is not an object", "list[2]: is not an object", "y"]);
    }

    #[test]
    fn a_list_may_be_bare_or_paged_or_hold_ids_only() {
        let object =
            Object::parse(r#"{"a":[{"id":"x"}],"b":{"data":[{"id":"y"},"z"]},"c":null,"d":7,"e":{"id":"x"},"f":{}}"#)
                .expect("an object");
        assert_eq!(object.objects("a").expect("a list").len(), 1);
        assert_eq!(object.objects("b").expect("a list").len(), 1);
        assert_eq!(object.objects("c").expect("a list").len(), 0);
        assert_eq!(object.objects("d").expect_err("no list").problem, "is not a list");
        assert_eq!(object.objects("f").expect("a list").len(), 0);
        assert_eq!(object.objects("e").expect_err("no list").problem, "is not a list");
    }
}
