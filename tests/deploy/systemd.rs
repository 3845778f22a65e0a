//! The systemd unit.

use super::*;

#[test]
fn the_unit_gives_only_variables_that_are_read_and_secrets_as_credentials_that_it_loads() {
    let unit = text("deploy/systemd/clawback.service");
    let values = |key: &str| -> Vec<_> { unit.lines().filter_map(|line| line.strip_prefix(key)).collect() };
    let loaded: BTreeSet<_> =
        values("LoadCredential=").iter().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    let mut given = BTreeSet::new();
    for assignment in values("Environment=") {
        let (variable, value) = assignment.split_once('=').expect("NAME=VALUE");
        assert!(variables_of("serve").contains(variable), "`clawback serve` does not read {variable}");
        given.insert(value.strip_prefix("%d/").expect("a credential"));
    }
    assert_eq!(given, loaded);
    assert_eq!(loaded.len(), 2);
}

#[test]
fn the_page_on_deployment_puts_files_where_the_unit_looks_for_them() {
    let (unit, page) = (text("deploy/systemd/clawback.service"), text("docs/DEPLOY.md"));
    for file in ["database-url", "stripe-webhook-secrets"] {
        assert!(unit.contains(&format!(":/etc/clawback/{file}\n")));
    }
    assert!(page.contains("\ninstall -m 600 database-url stripe-webhook-secrets /etc/clawback/\n"));
    assert!(unit.contains("ExecStart=/usr/local/bin/clawback serve\n"));
    assert!(page.contains("\ninstall -m 755 target/release/clawback /usr/local/bin/\n"));
}
