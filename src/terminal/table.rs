//! Rows as a table that fits the terminal. A command names its columns; which of them are worth showing is decided here.

use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement, Table, presets};
use time::OffsetDateTime;

use super::{Screen, escaped, money};

/// What one row shows in one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Nothing,
    Text(String),
    /// A word that tells how things are: coloured where that is bad or good.
    State(String),
    Number(i64),
    /// Minor units and their currency.
    Money(i64, Option<String>),
    Time(OffsetDateTime),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn state(word: impl Into<String>) -> Self {
        Self::State(word.into())
    }

    pub(crate) fn optional(text: &Option<String>) -> Self {
        text.clone().map_or(Self::Nothing, Self::Text)
    }

    pub(crate) fn time(at: Option<OffsetDateTime>) -> Self {
        at.map_or(Self::Nothing, Self::Time)
    }

    /// An amount; nothing when it is not known.
    pub(crate) fn money(minor: Option<i64>, currency: &Option<String>) -> Self {
        minor.map_or(Self::Nothing, |minor| Self::Money(minor, currency.clone()))
    }

    /// An amount; nothing when it is 0.
    pub(crate) fn some_money(minor: i64, currency: &Option<String>) -> Self {
        Self::money(Some(minor).filter(|minor| *minor != 0), currency)
    }

    pub(crate) fn mode(is_live: bool) -> Self {
        Self::text(if is_live { "live mode" } else { "test mode" })
    }

    /// The word where it holds.
    pub(crate) fn flag(holds: bool, word: &str) -> Self {
        if holds { Self::state(word) } else { Self::Nothing }
    }

    fn shown(&self, screen: &Screen) -> String {
        match self {
            Self::Nothing => "–".to_owned(),
            Self::Text(text) | Self::State(text) => escaped(text),
            Self::Number(number) => number.to_string(),
            Self::Money(minor, currency) => money::major(*minor, currency.as_deref()),
            Self::Time(at) => screen.time(*at),
        }
    }
}

/// When a column is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Always,
    /// When a row has something in it.
    IfAny,
    /// When rows differ; what they have in common stands above the table.
    IfMixed,
}

/// A column: its heading, and what a row shows in it.
#[derive(Debug)]
pub(crate) struct Column<T> {
    name: &'static str,
    shown: Shown,
    cell: fn(&T) -> Cell,
}

/// A column that is always shown.
pub(crate) const fn column<T>(name: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column { name, shown: Shown::Always, cell }
}

/// A column that is left out when no row has something in it.
pub(crate) const fn if_any<T>(name: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column { name, shown: Shown::IfAny, cell }
}

/// A column that becomes a line above the table when all rows agree.
pub(crate) const fn if_mixed<T>(name: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column { name, shown: Shown::IfMixed, cell }
}

/// The table, each line ended. Nothing at all when there are no rows.
pub(crate) fn render<T>(screen: &Screen, columns: &[Column<T>], rows: &[T]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut common = Vec::new();
    let mut shown = Vec::new();
    for column in columns {
        let cells: Vec<Cell> = rows.iter().map(column.cell).collect();
        let differs = cells.iter().any(|cell| *cell != cells[0]);
        match column.shown {
            Shown::IfAny if cells.iter().all(|cell| *cell == Cell::Nothing) => {}
            Shown::IfMixed if !differs && cells[0] == Cell::Nothing => {}
            Shown::IfMixed if !differs => common.push(captioned(column.name, &cells[0].shown(screen))),
            Shown::Always | Shown::IfAny | Shown::IfMixed => shown.push((column.name, cells)),
        }
    }
    let caption = if common.is_empty() { String::new() } else { format!("{}\n\n", common.join(", ")) };
    caption + &drawn(screen, &shown)
}

/// `account acct_1`, but `test mode` as it is.
fn captioned(name: &str, value: &str) -> String {
    if value.contains(name) { value.to_owned() } else { format!("{name} {value}") }
}

/// A table under a heading of its own; nothing when it has no rows.
pub(crate) fn section<T>(screen: &Screen, heading: &str, columns: &[Column<T>], rows: &[T]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{heading}\n\n{}", render(screen, columns, rows))
}

/// Pairs of a name and a value, one a line, for one thing with many fields. What is not there is left out.
pub(crate) fn fields<T>(screen: &Screen, columns: &[Column<T>], row: &T) -> String {
    let cells = columns.iter().map(|column| (column.name, (column.cell)(row)));
    let pairs: Vec<_> = cells.filter(|(_, cell)| *cell != Cell::Nothing).collect();
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    pairs
        .iter()
        .map(|(name, cell)| format!("{:width$}  {}\n", format!("{name}:"), cell.shown(screen), width = width + 1))
        .collect()
}

fn drawn(screen: &Screen, columns: &[(&str, Vec<Cell>)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).style_text_only();
    if let Some(width) = screen.width {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    if screen.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let heading = |name: &str| comfy_table::Cell::new(name.to_uppercase()).add_attribute(Attribute::Dim);
    table.set_header(columns.iter().map(|(name, _)| heading(name)));
    let height = columns.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    for row in 0..height {
        table.add_row(columns.iter().map(|(_, cells)| painted(screen, &cells[row])));
    }
    for (place, (_, cells)) in columns.iter().enumerate() {
        let is_number = |cell: &Cell| matches!(cell, Cell::Number(_) | Cell::Money(..));
        if let Some(column) = table.column_mut(place) {
            column.set_padding((0, 2));
            if cells.iter().any(is_number) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table.trim_fmt() + "\n"
}

fn painted(screen: &Screen, cell: &Cell) -> comfy_table::Cell {
    let drawn = comfy_table::Cell::new(cell.shown(screen));
    match cell {
        Cell::State(word) => colour(word).map_or(drawn.clone(), |colour| drawn.fg(colour)),
        Cell::Nothing => drawn.add_attribute(Attribute::Dim),
        Cell::Text(_) | Cell::Number(_) | Cell::Money(..) | Cell::Time(_) => drawn,
    }
}

fn colour(word: &str) -> Option<Color> {
    let is = |words: &[&str]| words.iter().any(|known| word.starts_with(known));
    if is(&["failed", "dead", "disputed", "charged_back", "partially_charged", "lost", "wrong", "needs_response"]) {
        Some(Color::Red)
    } else if is(&["pending", "inquiry", "warning", "hold", "ignored", "requires"]) {
        Some(Color::Yellow)
    } else if is(&["good", "won", "paid", "done", "processed", "succeeded"]) {
        Some(Color::Green)
    } else {
        None
    }
}

/// How wide the terminal is; none when standard output is none.
pub(crate) fn terminal_width() -> Option<u16> {
    Table::new().width()
}
