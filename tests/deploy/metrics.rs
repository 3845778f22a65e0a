//! The page on metrics, the alert rules and the dashboard.

use super::*;

const PAGE: &str = "docs/METRICS.md";

/// The cells of the table's rows, by metric.
fn rows() -> Vec<Vec<String>> {
    let page = text(PAGE);
    let rows = page.lines().filter(|line| line.starts_with("| `clawback_"));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn in_backticks(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn names(kinds: &[Kind]) -> BTreeSet<&'static str> {
    METRICS.iter().filter(|metric| kinds.contains(&metric.kind)).map(|metric| metric.name).collect()
}

#[test]
fn the_page_lists_every_metric_with_its_type_and_no_other() {
    let type_of = |kind| match kind {
        Kind::Counter => "counter",
        Kind::Histogram => "histogram",
        Kind::Gauge => "gauge",
        Kind::DatabaseGauge => "database gauge",
    };
    let listed: Vec<_> = rows().iter().map(|row| (row[0].replace('`', ""), row[1].clone())).collect();
    let known: Vec<_> =
        METRICS.iter().map(|metric| (metric.name.to_owned(), type_of(metric.kind).to_owned())).collect();
    assert_eq!(listed, known, "{PAGE} has another list, order or type than src/telemetry.rs");
    assert!(rows().iter().all(|row| row.len() == 5 && row.iter().all(|cell| !cell.is_empty())));
}

#[test]
fn the_page_names_every_kind_and_no_other() {
    let page = text(PAGE);
    let line = page.lines().find(|line| line.starts_with("`kind` is one of")).expect("the line is there");
    let mut listed = in_backticks(line);
    listed.remove("kind");
    assert_eq!(listed, kinds().into_iter().map(str::to_owned).collect::<BTreeSet<_>>());
}

/// The words after `=>` in the functions called `label`.
fn reasons_in(source: &str) -> BTreeSet<String> {
    let labels = source.split("fn label(self) -> &'static str {").skip(1);
    let bodies = labels.filter_map(|rest| rest.split("\n    }\n").next());
    bodies
        .flat_map(|body| body.split("=> \"").skip(1))
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

fn reasons() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for source in ["src/http/refusal.rs", "src/stripe/signature.rs", "src/stripe/envelope.rs", "src/intake/mod.rs"] {
        known.extend(reasons_in(&text(source)));
    }
    // These are the outcomes of `Recorded`, no refusals.
    known.retain(|word| !["new", "duplicate", "wrong_mode"].contains(&word.as_str()));
    known
}

#[test]
fn the_page_names_every_reason_of_a_refusal_and_no_other() {
    let mut known = reasons();
    let page = text(PAGE);
    let (_, table) = page.split_once("`reason` of a refusal:").expect("the table is there");
    let cells = table.lines().filter_map(|line| line.split('|').nth(2));
    assert_eq!(cells.flat_map(in_backticks).collect::<BTreeSet<_>>(), {
        known.insert("reason".to_owned());
        known
    });
}

#[test]
fn refusals_and_outcomes_are_counted_from_zero_before_any_event_comes() {
    let of = |metric: &str, label: &str, value: &str| format!("{metric}{{{label}=\"{value}\"}} 0");
    let mut expected: BTreeSet<_> = reasons().iter().map(|reason| of(telemetry::REFUSALS, "reason", reason)).collect();
    for outcome in ["processed", "ignored", "failed", "deferred"] {
        expected.insert(of(telemetry::EVENTS_FINISHED, "outcome", outcome));
    }
    let service = Service::start();
    let patience = Instant::now() + Duration::from_secs(20);
    // Processing begins a moment after the port is open.
    let mut missing = expected.clone();
    while !missing.is_empty() && Instant::now() < patience {
        missing = expected.difference(&service.scrape()).cloned().collect();
    }
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn the_first_scrape_of_a_service_whose_database_is_down_says_what_it_knows_of_itself() {
    let scrape = Service::start().scrape();
    let series: BTreeSet<_> = scrape.iter().filter_map(|line| line.split([' ', '{']).next()).collect();
    for name in names(&[Kind::Gauge]) {
        assert!(series.contains(name), "the first scrape lacks {name}");
    }
    for line in [telemetry::INTAKE_AVAILABLE, telemetry::DATABASE_UP].map(|name| format!("{name} 0")) {
        assert!(scrape.contains(&line), "the first scrape lacks {line}");
    }
}

fn rules() -> Vec<Value> {
    let file = yaml("deploy/prometheus/alerts.yml");
    items(&file["groups"]).iter().flat_map(|group| items(&group["rules"]).to_vec()).collect()
}

#[test]
fn prometheus_finds_each_replica_and_calls_the_job_as_the_alerts_do() {
    let config = |name: &str| yaml(format!("deploy/prometheus/{name}.yml"));
    for name in ["prometheus", "prometheus-kubernetes"] {
        assert_eq!(words(&config(name)["rule_files"]), ["alerts.yml"], "{name}");
        assert_eq!(config(name)["scrape_configs"][0]["job_name"], "clawback", "{name}");
    }
    let here = config("prometheus")["scrape_configs"][0]["static_configs"][0]["targets"].clone();
    assert_eq!(words(&here), [format!("127.0.0.1:{ADMIN}")]);

    let pod = yaml("deploy/kubernetes/deployment.yaml")["spec"]["template"].clone();
    let ports = items(&pod["spec"]["containers"][0]["ports"]);
    let admin = ports.iter().find(|port| port["name"] == "admin").expect("it is named");
    assert_eq!(admin["containerPort"].to_string(), ADMIN);
    let name = &pod["metadata"]["labels"]["app.kubernetes.io/name"];
    let relabel = config("prometheus-kubernetes")["scrape_configs"][0]["relabel_configs"].clone();
    assert_eq!(relabel[0]["action"], "keep");
    assert_eq!(relabel[0]["regex"], format!("{};admin", name.as_str().expect("text")));
    let labels: Vec<_> = items(&relabel).iter().filter_map(|rule| rule["target_label"].as_str()).collect();
    assert_eq!(labels, ["namespace", "pod"], "the alerts keep environments apart by them");
}

#[test]
fn alerts_name_only_metrics_that_are_there_and_say_what_happened() {
    for rule in rules() {
        let (alert, expression) = (&rule["alert"], rule["expr"].as_str().expect("an expression"));
        for series in metrics_named_in(expression) {
            assert!(known_metrics().contains(&metric_of(&series)), "{alert} asks for {series}");
        }
        assert!(["warning", "critical"].map(Value::from).contains(&rule["labels"]["severity"]), "{alert}");
        assert!(rule["annotations"]["summary"].is_string(), "{alert}");
        assert!(rule["annotations"]["description"].is_string(), "{alert}");
    }
}

#[test]
fn what_refuses_every_delivery_pages() {
    let page = text(PAGE);
    let rows = page.lines().filter(|line| line.starts_with("| 400 |") || line.starts_with("| 408, 413 |"));
    let expected: BTreeSet<_> = rows.filter_map(|row| row.split('|').nth(2)).flat_map(in_backticks).collect();
    let rules = rules();
    let rule = rules.iter().find(|rule| rule["alert"] == "ClawbackEveryDeliveryRefused").expect("it is there");
    let (_, reasons) = rule["expr"].as_str().and_then(|text| text.split_once("reason=~\"")).expect("reasons");
    let reasons = reasons.split('"').next().unwrap_or_default();
    assert_eq!(reasons.split('|').map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn the_page_on_deployment_names_every_alert_that_pages_and_no_other() {
    let page = text("docs/DEPLOY.md");
    let row = page.lines().find(|line| line.starts_with("| critical: ")).expect("the row is there");
    let rules = rules();
    let critical = rules.iter().filter(|rule| rule["labels"]["severity"] == "critical");
    let critical: BTreeSet<_> = critical.filter_map(|rule| rule["alert"].as_str().map(str::to_owned)).collect();
    assert_eq!(in_backticks(row), critical);
}

#[test]
fn every_alert_is_tried() {
    let tests = text("deploy/prometheus/alerts_test.yml");
    for rule in rules() {
        let alert = rule["alert"].as_str().expect("a name");
        assert!(tests.contains(&format!("{{alertname=\"{alert}\"}}")), "{alert} is in no test of alerts_test.yml");
    }
    for series in metrics_named_in(&tests) {
        assert!(known_metrics().contains(&metric_of(&series)), "the tests of the alerts make up {series}");
    }
}

#[test]
fn every_gauge_of_the_database_can_fire_an_alert() {
    let rules = rules();
    let expressions = rules.iter().filter_map(|rule| rule["expr"].as_str());
    let alarming: BTreeSet<_> = expressions.flat_map(metrics_named_in).collect();
    for name in names(&[Kind::DatabaseGauge]) {
        // How many is no trouble as long as the oldest is young.
        let counted = [telemetry::PENDING_EVENTS, telemetry::API_CALLS_WAITING].contains(&name);
        assert!(counted || alarming.contains(name), "no alert asks for {name}");
    }
    for name in [telemetry::INTAKE_AVAILABLE, telemetry::DATABASE_UP, telemetry::REFUSALS] {
        assert!(alarming.contains(name), "no alert asks for {name}");
    }
}

#[test]
fn the_dashboard_shows_every_metric_and_makes_up_none() {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/dashboard.json")).expect("it is JSON");
    let panels = items(&dashboard["panels"]);
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "panels share an id");
    let expressions = panels.iter().flat_map(|panel| items(&panel["targets"])).map(|target| &target["expr"]);
    let shown: BTreeSet<_> = expressions
        .flat_map(|expression| metrics_named_in(expression.as_str().expect("an expression")))
        .map(|series| metric_of(&series))
        .collect();
    assert_eq!(shown, known_metrics());
}
