//! The output: figures, targets with their verdicts, and the same as JSON.

use serde_json::{Value, json};

/// What a figure must be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Target {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
        }
    }
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Lines, as they come.
    Lines,
    /// One JSON object, at the end.
    Json,
    /// One line, at the end: the figures of a test mean nothing.
    Smoke,
}

/// The lines so far.
pub struct Report {
    output: Output,
    section: &'static str,
    settings: Vec<(&'static str, String)>,
    lines: Vec<Value>,
    missed: usize,
}

impl Report {
    /// An empty one.
    pub fn new(output: Output) -> Self {
        Self { output, section: "", settings: Vec::new(), lines: Vec::new(), missed: 0 }
    }

    /// A setting of the machine, of Postgres or of the run.
    pub fn setting(&mut self, name: &'static str, value: String) {
        self.print(format_args!("{name:<22} {value}"));
        self.settings.push((name, value));
    }

    /// Begins a section.
    pub fn section(&mut self, name: &'static str, about: &str) {
        self.section = name;
        self.print(format_args!("\n{name}: {about}"));
    }

    /// Figures about one thing, without a target: each with its name, value and unit.
    pub fn figures(&mut self, about: &str, figures: &[(&str, f64, &str)]) {
        let text: Vec<_> =
            figures.iter().map(|(name, value, unit)| format!("{name} {} {unit}", short(*value))).collect();
        self.print(format_args!("  {about:<24} {}", text.join(", ")));
        for (name, value, unit) in figures {
            let name = format!("{about}: {name}");
            self.lines.push(json!({ "section": self.section, "name": name, "value": value, "unit": unit }));
        }
    }

    /// A figure with a target.
    pub fn judge(&mut self, name: &str, value: f64, unit: &str, target: Target) {
        let verdict = if target.holds(value) { "holds" } else { "missed" };
        self.missed += usize::from(!target.holds(value));
        let value_and_unit = format!("{} {unit}", short(value));
        self.print(format_args!("  {name:<52} {value_and_unit:<14} target {:<10} {verdict}", target.text()));
        self.lines.push(json!({ "section": self.section, "name": name, "value": value, "unit": unit,
                                "target": target.text(), "verdict": verdict }));
    }

    /// Prints what is printed at the end, and returns how many targets were missed.
    pub fn end(self) -> usize {
        let settings: Value =
            self.settings.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        match self.output {
            Output::Lines => println!("\n{}", missed(self.missed)),
            Output::Json => {
                println!("{:#}", json!({ "settings": settings, "lines": self.lines, "missed": self.missed }));
            }
            Output::Smoke => println!("bench smoke: {} figures, all checks hold; targets not judged", self.lines.len()),
        }
        self.missed
    }

    fn print(&self, line: std::fmt::Arguments<'_>) {
        match self.output {
            Output::Lines => println!("{line}"),
            Output::Json | Output::Smoke => {}
        }
    }
}

/// About three significant digits.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

fn missed(count: usize) -> String {
    match count {
        0 => "All targets hold".to_owned(),
        1 => "1 target missed".to_owned(),
        count => format!("{count} targets missed"),
    }
}

/// The median over rounds; of an even number, the lower of the two in the middle.
pub fn median<T>(rounds: &[T], value: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
