//! The role that the service would run as: its ownership, its privileges, and who else can read private tables.

use super::{Finding, good, warning, wrong};
use crate::store::health::Role;

pub(super) fn look(role: &Role) -> Vec<Finding> {
    let mut findings = vec![whose(role)];
    if role.owner.is_some() {
        findings.extend([rights(role), onlookers(role)]);
    }
    findings
}

fn whose(role: &Role) -> Finding {
    let Role { name, database, .. } = role;
    match &role.owner {
        _ if role.superuser => warning(
            "role",
            format!("{name} is a superuser, which the service does not need: let an ordinary role own the database"),
        ),
        None if !role.creates => wrong(
            "role",
            format!(
                "{name} may not create schemas in database {database}: run `grant create on database {database} to {name}`"
            ),
        ),
        None => good("role", format!("{name} may create schemas in database {database}")),
        Some(owner) if role.owns => good("role", format!("{name} acts for {owner}, who owns schema clawback")),
        Some(owner) => good(
            "role",
            format!("{name} runs the service, with CLAWBACK_MIGRATE=false; {owner} owns the schema and migrates it"),
        ),
    }
}

fn rights(role: &Role) -> Finding {
    let Role { name, owner, forbidden, closed, .. } = role;
    let owner = owner.as_deref().unwrap_or_default();
    let elsewhere = "Run `clawback doctor` with the service's own DATABASE_URL";
    let parts = match (closed.as_slice(), forbidden.as_slice()) {
        ([], _) if !role.enters => {
            return wrong("privileges", format!("{name} may not read clawback.migrations. {elsewhere}"));
        }
        ([], []) => return good("privileges", format!("{name} has the privileges of the service")),
        ([], parts) => parts.join(", "),
        (schemas, _) => {
            let schemas = schemas.join(" and ");
            return wrong("privileges", format!("{name} may not use schema {schemas}. {elsewhere}"));
        }
    };
    wrong(
        "privileges",
        format!(
            "{name} may not do what the service does, which needs {parts}. {elsewhere}. Only if {name} is to run the \
             service, run as {owner} what `clawback grants {name} --service` prints"
        ),
    )
}

fn onlookers(role: &Role) -> Finding {
    if role.onlookers.is_empty() {
        return good("private tables", "no other role can read them");
    }
    let others = role.onlookers.join(", ");
    let mend = format!("revoke all on all tables in schema clawback from {others}");
    warning("private tables", format!("{others} can read them: unless that is intended, run `{mend}`"))
}
