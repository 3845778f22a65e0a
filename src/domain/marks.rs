//! How long before an evidence deadline warnings are due.

/// Marks before a deadline, the longest first: each as configured, such as `72h`, and in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks(Vec<(String, i64)>);

impl Marks {
    /// These marks, in any order.
    #[must_use]
    pub fn new(mut marks: Vec<(String, i64)>) -> Self {
        marks.sort_by_key(|(_, before)| -before);
        Self(marks)
    }

    /// Each mark of a deadline, its time, and the time of the next one, in unix seconds.
    pub(super) fn before(&self, due: i64) -> impl Iterator<Item = (&str, i64, Option<i64>)> {
        let next = self.0.iter().skip(1).map(move |(_, before)| Some(due - before)).chain([None]);
        self.0.iter().zip(next).map(move |((mark, before), next)| (mark.as_str(), due - before, next))
    }
}

impl Default for Marks {
    /// A week, three days and a day.
    fn default() -> Self {
        Self::new([("7d", 7 * 86_400), ("72h", 72 * 3_600), ("24h", 24 * 3_600)].map(|(m, s)| (m.to_owned(), s)).into())
    }
}
