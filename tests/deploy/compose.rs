//! The compose file.

use super::*;

fn service(name: &str) -> Value {
    yaml("docker-compose.yml")["services"][name].clone()
}

#[test]
fn no_secret_has_a_default() {
    let file = text("docker-compose.yml");
    for reference in file.split("${").skip(1) {
        let reference = reference.split('}').next().unwrap_or_default();
        let name: String = reference.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        let rest = &reference[name.len()..];
        assert!(!is_secret(&name) || rest.starts_with(":?"), "${{{reference}}} must be ${{{name}:?…}}");
    }
    for name in ["clawback", "postgres"] {
        for (variable, value) in entries(&service(name)["environment"]) {
            // Without a value, it is passed on as it is set outside.
            let is_passed_on = value.is_null();
            let value = value.as_str().unwrap_or_default();
            assert!(
                !is_secret(variable) || is_passed_on || value.contains(":?"),
                "{variable} holds a value of its own"
            );
        }
    }
}

#[test]
fn the_service_is_given_only_variables_that_it_reads() {
    let known = variables_of("serve");
    let environment = &service("clawback")["environment"];
    assert!(entries(environment).count() >= 3);
    for (variable, _) in entries(environment) {
        assert!(known.contains(variable), "`clawback serve` does not read {variable}");
    }
}

#[test]
fn ports_are_open_to_this_machine_only_unless_told_otherwise_and_the_database_to_nobody() {
    let clawback = service("clawback");
    assert_eq!(clawback["environment"]["CLAWBACK_ADMIN_LISTEN"], format!("0.0.0.0:{ADMIN}"));
    let ports = words(&clawback["ports"]);
    let admin: Vec<_> = ports.iter().filter(|port| port.ends_with(&format!(":{ADMIN}"))).collect();
    assert_eq!(admin.len(), 1);
    assert!(admin[0].starts_with("127.0.0.1:"), "{admin:?}");
    assert_eq!(ports.len(), 2, "{ports:?}");
    assert!(ports.iter().any(|port| port.starts_with("${CLAWBACK_ADDRESS:-127.0.0.1}:")), "plain HTTP: {ports:?}");
    assert_eq!(service("postgres")["ports"], Value::Null);
}

#[test]
fn the_service_waits_for_a_healthy_database() {
    let clawback = service("clawback");
    assert_eq!(clawback["depends_on"]["postgres"]["condition"], "service_healthy");
    assert_eq!(words(&clawback["healthcheck"]["test"])[..3], ["CMD", "/clawback", "healthcheck"]);
    assert!(words(&service("postgres")["healthcheck"]["test"]).contains(&"pg_isready"));
}

#[test]
fn neither_has_privileges_and_both_have_time_to_end() {
    let clawback = service("clawback");
    assert_eq!(clawback["read_only"], true);
    assert_eq!(clawback["stop_grace_period"], format!("{GRACE}s"));
    assert_eq!(service("postgres")["user"], "postgres");
    for service in ["clawback", "postgres"].map(service) {
        assert_eq!(words(&service["cap_drop"]), ["ALL"]);
        assert_eq!(words(&service["security_opt"]), ["no-new-privileges:true"]);
        assert_eq!(service["restart"], "unless-stopped");
        assert!(service["stop_grace_period"].is_string());
        assert!(service["logging"]["options"]["max-size"].is_string(), "its log would fill the disk");
    }
}

#[test]
fn the_database_outlives_its_container() {
    let data = "postgres:/var/lib/postgresql/data";
    assert!(words(&service("postgres")["volumes"]).contains(&data));
    assert!(yaml("docker-compose.yml")["volumes"].as_object().is_some_and(|volumes| volumes.contains_key("postgres")));
}
