//! Rows as a table that fits the terminal. A command names its columns; which of them are worth showing is decided here.

use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use time::OffsetDateTime;

use super::{Screen, escaped};
use crate::domain::currency;

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
            Self::Money(minor, currency) => currency::major(*minor, currency.as_deref()),
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
    is_spare: bool,
    cell: fn(&T) -> Cell,
}

/// A column that is always shown.
pub(crate) const fn column<T>(name: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column { name, shown: Shown::Always, is_spare: false, cell }
}

/// A column that is left out when no row has something in it.
pub(crate) const fn if_any<T>(name: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column { name, shown: Shown::IfAny, is_spare: false, cell }
}

/// A column that is left out too where the table would not fit otherwise: the rightmost such column first.
pub(crate) const fn spare<T>(name: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column { name, shown: Shown::IfAny, is_spare: true, cell }
}

/// A column that becomes a line above the table when all rows agree.
pub(crate) const fn if_mixed<T>(name: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column { name, shown: Shown::IfMixed, is_spare: false, cell }
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
            Shown::Always | Shown::IfAny | Shown::IfMixed => shown.push((column, cells)),
        }
    }
    let hidden = hidden(screen, &shown);
    if !hidden.is_empty() {
        common.push(format!("hidden for lack of width: {}", hidden.join(", ")));
    }
    let shown = shown.into_iter().filter(|(column, _)| !hidden.contains(&column.name));
    let shown: Vec<_> = shown.map(|(column, cells)| (column.name, cells)).collect();
    let caption = if common.is_empty() { String::new() } else { format!("{}\n\n", common.join(", ")) };
    caption + &drawn(screen, &shown)
}

/// The names of the spare columns without which the rest fits. None where it does not fit even so: rows are then drawn
/// one below the other, with all columns.
fn hidden<T>(screen: &Screen, columns: &[(&Column<T>, Vec<Cell>)]) -> Vec<&'static str> {
    let mut hidden = Vec::new();
    let mut rest: Vec<_> = columns.iter().collect();
    while !fits(screen, rest.iter().map(|(column, cells)| (column.name, cells.as_slice()))) {
        let Some(spare) = rest.iter().rposition(|(column, _)| column.is_spare) else { return Vec::new() };
        hidden.push(rest.remove(spare).0.name);
    }
    hidden
}

/// Whether columns fit side by side.
fn fits<'a>(screen: &Screen, columns: impl Iterator<Item = (&'a str, &'a [Cell])>) -> bool {
    let needed: usize = columns.map(|(name, cells)| narrowest(screen, name, cells) + GAP).sum();
    // The gap after the last column is empty.
    screen.width.is_none_or(|width| needed <= usize::from(width) + GAP)
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
    let pairs: Vec<_> = columns.iter().map(|column| (column.name, (column.cell)(row))).collect();
    card(screen, &pairs.iter().map(|(name, cell)| (*name, cell)).collect::<Vec<_>>())
}

fn card(screen: &Screen, pairs: &[(&str, &Cell)]) -> String {
    let pairs: Vec<_> = pairs.iter().filter(|(_, cell)| **cell != Cell::Nothing).collect();
    let width = pairs.iter().map(|(name, _)| name.len() + 1).max().unwrap_or(0);
    let line = |(name, cell): &&(&str, &Cell)| format!("{:width$}  {}\n", format!("{name}:"), cell.shown(screen));
    pairs.iter().map(line).collect()
}

/// Columns side by side, or where they do not fit one row below the other.
fn drawn(screen: &Screen, columns: &[(&str, Vec<Cell>)]) -> String {
    let height = columns.first().map_or(0, |(_, cells)| cells.len());
    let row = |row: usize| columns.iter().map(|(name, cells)| (*name, &cells[row])).collect::<Vec<_>>();
    if !fits(screen, columns.iter().map(|(name, cells)| (*name, cells.as_slice()))) {
        return (0..height).map(|at| card(screen, &row(at))).collect::<Vec<_>>().join("\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).style_text_only();
    if screen.colour {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    let heading = |name: &str| comfy_table::Cell::new(name.to_uppercase()).add_attribute(Attribute::Dim);
    table.set_header(columns.iter().map(|(name, _)| heading(name)));
    for at in 0..height {
        table.add_row(row(at).into_iter().map(|(_, cell)| painted(screen, cell)));
    }
    if let Some(width) = screen.width {
        table.set_width(width.saturating_add(2)).set_content_arrangement(ContentArrangement::Dynamic);
    }
    for (drawn, (name, cells)) in table.column_iter_mut().zip(columns) {
        align(drawn, narrowest(screen, name, cells), cells);
    }
    table.trim_fmt() + "\n"
}

/// Between two columns.
const GAP: usize = 2;

/// How narrow a column can be without breaking a word, an amount or a time.
fn narrowest(screen: &Screen, name: &str, cells: &[Cell]) -> usize {
    let longest_word = |text: String| text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
    let width = |cell: &Cell| match cell {
        Cell::Text(_) | Cell::State(_) => longest_word(cell.shown(screen)),
        Cell::Nothing | Cell::Number(_) | Cell::Money(..) | Cell::Time(_) => cell.shown(screen).chars().count(),
    };
    cells.iter().map(width).chain([name.len()]).max().unwrap_or(0)
}

fn align(column: &mut comfy_table::Column, narrowest: usize, cells: &[Cell]) {
    let padded = u16::try_from(narrowest + GAP).unwrap_or(u16::MAX);
    column.set_padding((0, 2)).set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(padded)));
    if cells.iter().any(|cell| matches!(cell, Cell::Number(_) | Cell::Money(..))) {
        column.set_cell_alignment(CellAlignment::Right);
    }
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    struct Row(&'static str, &'static str, i64, &'static str, Option<OffsetDateTime>, bool);

    const COLUMNS: &[Column<Row>] = &[
        if_mixed("mode", |row| Cell::mode(row.5)),
        column("order", |row| Cell::text(row.0)),
        column("state", |row| Cell::state(row.1)),
        column("paid", |row| Cell::money(Some(row.2), &Some(row.3.to_owned()))),
        if_any("lost", |row| Cell::some_money(0, &Some(row.3.to_owned()))),
        if_any("due", |row| Cell::time(row.4)),
        column("error", |_| Cell::text("the mail server did not answer")),
    ];

    fn table(screen: &Screen, is_live: bool) -> String {
        let due = datetime!(2026-11-27 15:00 UTC);
        let rows =
            [Row("o-1", "paid", 1_200, "eur", None, false), Row("o-2", "disputed", 5, "jpy", Some(due), is_live)];
        render(screen, COLUMNS, &rows)
    }

    #[test]
    fn a_table_is_as_wide_as_it_needs_where_nothing_limits_it() {
        insta::assert_snapshot!(table(&Screen::default(), false), @r"
        test mode

        ORDER  STATE          PAID  DUE                   ERROR
        o-1    paid      12.00 EUR  –                     the mail server did not answer
        o-2    disputed      5 JPY  2026-11-27 15:00:00Z  the mail server did not answer
        ");
    }

    #[test]
    fn a_table_on_a_terminal_fits_and_has_relative_times() {
        let now = Some(datetime!(2026-11-25 15:00 UTC));
        insta::assert_snapshot!(table(&Screen { width: Some(60), colour: false, now }, true), @r"
        MODE       ORDER  STATE          PAID  DUE    ERROR
        test mode  o-1    paid      12.00 EUR  –      the mail
                                                      server did not
                                                      answer
        live mode  o-2    disputed      5 JPY  in 2d  the mail
                                                      server did not
                                                      answer
        ");
    }

    #[test]
    fn a_spare_column_is_hidden_where_it_does_not_fit_and_that_is_told() {
        let columns = [column("order", |row: &Row| Cell::text(row.0)), spare("state", |row| Cell::state(row.1))];
        let rows = [Row("o-1", "partially_refunded", 0, "eur", None, false)];
        let drawn = |width| render(&Screen { width: Some(width), ..Screen::default() }, &columns, &rows);
        assert_eq!(drawn(25), "ORDER  STATE\no-1    partially_refunded\n");
        assert_eq!(drawn(24), "hidden for lack of width: state\n\nORDER\no-1\n");
        assert_eq!(drawn(4), "order:  o-1\nstate:  partially_refunded\n", "below each other nothing is hidden");
    }

    #[test]
    fn rows_that_do_not_fit_side_by_side_stand_below_each_other() {
        insta::assert_snapshot!(table(&Screen { width: Some(30), ..Screen::default() }, false), @r"
        test mode

        order:  o-1
        state:  paid
        paid:   12.00 EUR
        error:  the mail server did not answer

        order:  o-2
        state:  disputed
        paid:   5 JPY
        due:    2026-11-27 15:00:00Z
        error:  the mail server did not answer
        ");
    }

    #[test]
    fn a_bad_state_is_red_where_colour_may_be_used() {
        let text = table(&Screen { colour: true, ..Screen::default() }, false);
        assert!(text.contains("\u{1b}[38;5;9mdisputed"), "{text:?}");
    }
}
