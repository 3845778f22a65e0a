//! Promise: the generated parts of `docs/SQL.md`, and all of `examples/node/clawback.d.ts`, say what the database has:
//! every view, column and function with its comment, and the fields of every follow-up's payload.
//!
//! `make reference` regenerates them. An undocumented view, column, function or payload field fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::harness::Database;
use crate::lively::lively;

/// What a follow-up can be about. Its payload has an `id` field, and fields of the view with the same meaning.
struct Shape {
    name: &'static str,
    about: &'static str,
    id: &'static str,
    view: &'static str,
    /// Fields that mean something else than in the view, or are not in it: whether they can be null, and the meaning.
    own: &'static [(&'static str, bool, &'static str)],
}

/// The first whose `id` is in a payload is the payload's.
const SHAPES: [Shape; 8] = [
    Shape { name: "RefundPayload", about: "a refund", id: "refund_id", view: "refunds", own: &[] },
    Shape {
        name: "EvidencePayload",
        about: "the response to a dispute that Stripe refused",
        id: "due_by",
        view: "disputes",
        own: &[
            ("due_by", true, "The deadline for evidence; null when it is not known."),
            (
                "code",
                true,
                "Stripe's error code, such as dispute_evidence_page_limit_exceeded; null where Stripe gave none. Its words are in dispute_responses.error.",
            ),
        ],
    },
    Shape { name: "DisputePayload", about: "a dispute", id: "dispute_id", view: "disputes", own: &[] },
    Shape {
        name: "WarningPayload",
        about: "an early fraud warning",
        id: "warning_id",
        view: "fraud_warnings",
        own: &[],
    },
    Shape {
        name: "ReviewPayload",
        about: "a Radar review",
        id: "review_id",
        view: "reviews",
        own: &[("reason", true, "closed_reason of the review, or opened_reason while it is open.")],
    },
    Shape {
        name: "ChargePayload",
        about: "a charge that shows more refunded than its known refunds",
        id: "charge_id",
        view: "payments",
        own: &[
            ("charge_id", false, "Stripe's ID of the charge."),
            ("amount", false, "Refunded beyond the known refunds, in minor units."),
            ("amount_refunded", false, "Refunded in total, as the charge shows, in minor units."),
            ("currency", false, "Lower-case ISO code of the amounts."),
        ],
    },
    Shape {
        name: "RequestPayload",
        about: "a refund request",
        id: "request_id",
        view: "refund_requests",
        own: &[
            ("request_id", false, "The request: id in refund_requests."),
            ("error", false, "Why Stripe refused it, with Stripe's request ID."),
            ("code", true, "Stripe's error code, such as charge_disputed; null where Stripe gave none."),
        ],
    },
    Shape { name: "PaymentPayload", about: "a payment", id: "amount_paid", view: "payments", own: &[] },
];

/// Columns of a claim that view `follow_ups` does not have.
const CLAIM: [(&str, &str); 3] = [
    ("attempt", "Number of this attempt, from 1."),
    ("lease_token", "Proof of this lease: pass it to the functions that end or extend it."),
    ("leased_until", "When the lease expires."),
];

struct Column {
    name: String,
    r#type: String,
    nullable: bool,
    comment: String,
}

struct View {
    name: String,
    comment: String,
    columns: Vec<Column>,
}

struct Function {
    name: String,
    arguments: String,
    result: String,
    comment: String,
}

/// The fields of the payloads of one shape: their types and whether they can be null.
type Fields = BTreeMap<String, Column>;

struct Reference {
    views: Vec<View>,
    functions: Vec<Function>,
    claim: Vec<Column>,
    shapes: BTreeMap<&'static str, Fields>,
    /// The shapes that the payload of a kind can have, in the order of `SHAPES`.
    kinds: BTreeMap<String, BTreeSet<usize>>,
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_else(|| panic!("{name} is missing: {row}")).to_owned()
}

async fn views(db: &Database) -> Vec<View> {
    let named = "select c.relname as name, obj_description(c.oid, 'pg_class') as comment from pg_class c
                 where c.relnamespace = 'clawback_v1'::regnamespace and c.relkind = 'v' order by c.oid";
    let mut views = Vec::new();
    for row in db.rows(named).await {
        let name = text(&row, "name");
        views.push(View { columns: columns(db, &name).await, comment: text(&row, "comment"), name });
    }
    views
}

async fn columns(db: &Database, view: &str) -> Vec<Column> {
    // Not null is what every table column of that name forbids.
    let described = format!(
        "select a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
                coalesce(col_description(a.attrelid, a.attnum), '') as comment,
                not coalesce((select bool_and(b.attnotnull) from pg_rewrite r
                              join pg_depend d on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
                              join pg_attribute b on b.attrelid = d.refobjid and b.attnum = d.refobjsubid
                              where r.ev_class = a.attrelid and b.attrelid <> a.attrelid and b.attname = a.attname
                              and d.refclassid = 'pg_class'::regclass), false) as optional,
                (select count(*) from clawback_v1.{view} v where to_jsonb(v) -> a.attname = 'null') as nulls
         from pg_attribute a where a.attrelid = 'clawback_v1.{view}'::regclass and a.attnum > 0 order by a.attnum"
    );
    let rows = db.rows(&described).await;
    rows.iter().map(|row| column(view, row)).collect()
}

fn column(view: &str, row: &Value) -> Column {
    let (name, comment) = (text(row, "name"), text(row, "comment"));
    assert!(!comment.is_empty(), "clawback_v1.{view}.{name} has no comment: add one in a migration");
    let said = comment.contains("null");
    let nullable = said || row["optional"] == true || row["nulls"] != 0;
    Column { r#type: text(row, "type"), nullable, name, comment }
}

async fn functions(db: &Database) -> Vec<Function> {
    let described = "select p.proname as name, pg_get_function_arguments(p.oid) as arguments,
                            pg_get_function_result(p.oid) as result, obj_description(p.oid, 'pg_proc') as comment
                     from pg_proc p where p.pronamespace = 'clawback_v1'::regnamespace order by p.oid";
    let rows = db.rows(described).await;
    let function = |row: &Value| Function {
        name: text(row, "name"),
        arguments: signature(&text(row, "arguments")),
        result: signature(&text(row, "result")),
        comment: text(row, "comment"),
    };
    rows.iter().map(function).collect()
}

/// Arguments as a person writes them.
fn signature(arguments: &str) -> String {
    let plain = [
        ("timestamp with time zone", "timestamptz"),
        ("DEFAULT", "default"),
        ("'00:01:00'::interval", "'60 seconds'"),
        ("TABLE(", "table ("),
    ];
    let text = plain.iter().fold(arguments.to_owned(), |text, (long, short)| text.replace(long, short));
    // The type of a null is the argument's.
    let mut parts = text.split("NULL::");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, rest| text + "null" + rest.trim_start_matches(|letter: char| letter.is_alphanumeric()))
}

/// The columns that `claim_follow_ups` returns.
async fn claim(db: &Database, follow_ups: &View) -> Vec<Column> {
    let returned = "select u.name, format_type(u.type, null) as type
                    from pg_proc p, unnest(p.proargnames, p.proargmodes, p.proallargtypes)
                         with ordinality as u (name, mode, type, place)
                    where p.proname = 'claim_follow_ups' and u.mode = 't' order by u.place";
    let rows = db.rows(returned).await;
    rows.iter().map(|row| claimed(text(row, "name"), text(row, "type"), follow_ups)).collect()
}

fn claimed(name: String, r#type: String, follow_ups: &View) -> Column {
    let own = CLAIM.iter().find(|(own, _)| *own == name).map(|(_, comment)| (false, (*comment).to_owned()));
    let same = || follow_ups.columns.iter().find(|c| c.name == name).map(|c| (c.nullable, c.comment.clone()));
    let (nullable, comment) = own.or_else(same).unwrap_or_else(|| panic!("claim_follow_ups: {name} is not documented"));
    Column { name, r#type, nullable, comment }
}

fn shape_of(payload: &Value) -> usize {
    SHAPES.iter().position(|shape| payload.get(shape.id).is_some()).unwrap_or_else(|| panic!("no shape: {payload}"))
}

/// A field as the shape or its view documents it.
fn field(shape: &Shape, name: &str, views: &[View]) -> Column {
    let own = shape.own.iter().find(|(own, ..)| *own == name);
    let own = own.map(|(_, nullable, comment)| (*nullable, (*comment).to_owned()));
    let view = views.iter().find(|view| view.name == shape.view).expect("a view");
    let same = || view.columns.iter().find(|c| c.name == name).map(|c| (c.nullable, c.comment.clone()));
    let (nullable, comment) = own.or_else(same).unwrap_or_else(|| panic!("{name} of {} is not documented", shape.name));
    Column { name: name.to_owned(), r#type: String::new(), nullable, comment }
}

/// Takes the field's type and nullability from a value.
fn observe(field: &mut Column, value: &Value) {
    let seen = match value {
        Value::Null => {
            field.nullable = true;
            return;
        }
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) | Value::Object(_) => panic!("{} is not flat: {value}", field.name),
    };
    assert!(field.r#type.is_empty() || field.r#type == seen, "{} has two types", field.name);
    seen.clone_into(&mut field.r#type);
}

impl Reference {
    /// Of a database in which every column and every kind of follow-up occurs.
    async fn read(db: &Database) -> Self {
        let views = views(db).await;
        let follow_ups = views.iter().find(|view| view.name == "follow_ups").expect("follow_ups");
        let (functions, claim) = (functions(db).await, claim(db, follow_ups).await);
        let mut reference = Self { views, functions, claim, shapes: BTreeMap::new(), kinds: BTreeMap::new() };
        for row in db.rows("select kind, payload from clawback_v1.follow_ups").await {
            reference.see_payload(text(&row, "kind"), row["payload"].as_object().expect("an object"));
        }
        let mut kinds: Vec<_> = reference.kinds.keys().map(String::as_str).collect();
        let mut expected = clawback::domain::kinds();
        kinds.sort_unstable();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(kinds, expected, "each kind needs a story that asks for it");
        reference
    }

    fn see_payload(&mut self, kind: String, payload: &serde_json::Map<String, Value>) {
        let index = shape_of(&Value::Object(payload.clone()));
        let shape = &SHAPES[index];
        self.kinds.entry(kind).or_default().insert(index);
        let fields = self
            .shapes
            .entry(shape.name)
            .or_insert_with(|| payload.keys().map(|name| (name.clone(), field(shape, name, &self.views))).collect());
        assert!(
            payload.keys().collect::<BTreeSet<_>>().into_iter().eq(fields.keys()),
            "payloads of {} differ in their fields: {payload:?}",
            shape.name
        );
        for (name, value) in payload {
            observe(fields.get_mut(name).expect("the same fields"), value);
        }
    }

    fn views_page(&self) -> String {
        let mut page = String::new();
        for View { name, comment, columns } in &self.views {
            write!(page, "\n### {name}\n\n{comment}\n").expect("a string");
            page += &table("column", columns.iter());
        }
        page
    }

    fn functions_page(&self) -> String {
        let mut page = String::new();
        for Function { name, arguments, result, comment } in &self.functions {
            let result = if name == "claim_follow_ups" { "the claimed rows" } else { result };
            write!(page, "\n### {name}\n\n```text\n{name}({arguments}) → {result}\n```\n\n{comment}\n")
                .expect("a string");
            if name == "claim_follow_ups" {
                page += &table("column", self.claim.iter());
            }
        }
        page
    }

    fn payloads_page(&self) -> String {
        let mut page = "\n| kind | payload |\n|---|---|\n".to_owned();
        for (kind, shapes) in &self.kinds {
            let names: Vec<_> = shapes.iter().map(|index| format!("`{}`", SHAPES[*index].name)).collect();
            writeln!(page, "| `{kind}` | {} |", names.join(", ")).expect("a string");
        }
        for shape in &SHAPES {
            let fields = self.shapes.get(shape.name).expect("each shape occurs");
            write!(page, "\n`{}`, about {}:\n", shape.name, shape.about).expect("a string");
            page += &table("field", fields.values());
        }
        page
    }

    /// The types of the contract, as `pg` reads rows by default.
    fn typescript(&self) -> String {
        let mut page = TYPESCRIPT_HEAD.to_owned();
        for View { name, comment, columns } in &self.views {
            page += &interface(&row_name(name), comment, columns.iter());
        }
        for shape in &SHAPES {
            let about = format!("The payload of a follow-up about {}. Amounts are in minor units.", shape.about);
            page += &interface(shape.name, &about, self.shapes[shape.name].values());
        }
        page += "\n/** The payload of each kind of follow-up. */\nexport interface PayloadOf {\n";
        for (kind, shapes) in &self.kinds {
            let names: Vec<_> = shapes.iter().map(|index| SHAPES[*index].name).collect();
            writeln!(page, "  {kind}: {};", names.join(" | ")).expect("a string");
        }
        page += "}\n";
        let about = "A follow-up of kind K, as `claim_follow_ups` returns it.";
        let generic = interface("FollowUpOf<K extends FollowUpKind>", about, self.claim.iter());
        page += &generic
            .replace("  kind: string;", "  kind: K;")
            .replace("  payload: unknown;", "  payload: PayloadOf[K];");
        page + TYPESCRIPT_TAIL
    }
}

const TYPESCRIPT_HEAD: &str = "\
// Generated from the database by `make reference`: do not edit.
//
// Rows as `pg` reads them by default: `bigint` and `numeric` as string, `timestamptz` and `date` as Date, `jsonb` as its value.
";

const TYPESCRIPT_TAIL: &str = "
export type FollowUpKind = keyof PayloadOf;

/** A claimed follow-up of any kind: `kind` tells which payload it has. */
export type ClaimedFollowUp = { [K in FollowUpKind]: FollowUpOf<K> }[FollowUpKind];
";

/// A row's name in the singular: `fraud_warnings` is `FraudWarning`.
fn row_name(view: &str) -> String {
    let singular = match view {
        "order_history" => "order_change",
        "payment_people" => "payment_person",
        plural => plural.strip_suffix('s').expect("a plural"),
    };
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    singular.split('_').map(capital).collect()
}

fn interface<'a>(name: &str, comment: &str, columns: impl Iterator<Item = &'a Column>) -> String {
    let mut text = format!("\n/** {comment} */\nexport interface {name} {{\n");
    for Column { name, r#type, nullable, comment } in columns {
        let null = if *nullable { " | null" } else { "" };
        writeln!(text, "  /** {comment} */\n  {name}: {}{null};", script_type(r#type)).expect("a string");
    }
    text + "}\n"
}

/// What `pg` makes of a type of Postgres, or the type of a JSON value.
fn script_type(r#type: &str) -> &str {
    match r#type {
        "bigint" | "numeric" | "text" | "uuid" | "string" => "string",
        "integer" | "number" => "number",
        "boolean" => "boolean",
        "timestamp with time zone" | "date" => "Date",
        "jsonb" => "unknown",
        "text[]" => "string[]",
        other => panic!("a type that nobody mapped: {other}"),
    }
}

fn table<'a>(what: &str, columns: impl Iterator<Item = &'a Column>) -> String {
    let mut text = format!("\n| {what} | type | null | meaning |\n|---|---|---|---|\n");
    for Column { name, r#type, nullable, comment } in columns {
        let (short, null) =
            (r#type.replace("timestamp with time zone", "timestamptz"), if *nullable { "yes" } else { "" });
        writeln!(text, "| `{name}` | {short} | {null} | {} |", comment.replace('|', "\\|")).expect("a string");
    }
    text
}

/// The page with what stands between the markers of `part` replaced.
fn with_part(page: &str, part: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- generated: {part} -->\n"), format!("<!-- end: {part} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{begin} is missing"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{end} is missing"));
    format!("{before}{begin}{text}\n{end}{after}")
}

/// Writes a file where that was asked for; else holds it against the text.
fn hold(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("CLAWBACK_WRITE_REFERENCE").is_some() {
        std::fs::write(path, text).expect("the file can be written");
        return;
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = found.lines().zip(text.lines()).find(|(found, expected)| found != expected);
    assert!(found == text, "{file} is out of date, make reference writes it; first difference: {differs:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_the_interface_say_what_the_database_has() {
    let app = lively().await;
    let reference = Reference::read(&app.db).await;
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SQL.md")).expect("the page");
    let page = with_part(&page, "views", &reference.views_page());
    let page = with_part(&page, "functions", &reference.functions_page());
    let page = with_part(&page, "payloads", &reference.payloads_page());
    hold("docs/SQL.md", &page);
    hold("examples/node/clawback.d.ts", &reference.typescript());
}
