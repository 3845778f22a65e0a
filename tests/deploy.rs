//! What is deployed, read as data: image, compose file, Kubernetes manifests, systemd unit, alert rules,
//! dashboard, and the page on metrics. Held against the binary's own help and its list of metrics.
//!
//! Not here: whether tools accept them (`scripts/check-manifests.sh`), and whether the image works
//! (`scripts/prove-image.sh`).

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clawback::domain::kinds;
use clawback::telemetry::{self, Kind, METRICS};
use serde_json::Value;

/// The port of the admin listener, which holds no password.
const ADMIN: &str = "9090";
/// Everything ends within 10 s after SIGTERM; the rest is for the orchestrator.
const GRACE: u64 = 15;
/// Before SIGTERM, in Kubernetes: until nobody sends new connections to the pod.
const PRE_STOP: u64 = 5;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: impl AsRef<Path>) -> Value {
    let path = path.as_ref();
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The environment variables that a command's help names.
fn variables_of(command: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_clawback")).args([command, "--help"]).output().expect("it runs");
    let help = String::from_utf8(output.stdout).expect("help is text");
    let named = help.split("[env: ").skip(1);
    named.filter_map(|rest| rest.split([']', '=']).next()).map(str::to_owned).collect()
}

fn is_secret(name: &str) -> bool {
    ["SECRET", "PASSWORD", "API_KEY", "DATABASE_URL"].iter().any(|word| name.contains(word)) && !name.ends_with("_FILE")
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn words(value: &Value) -> Vec<&str> {
    items(value).iter().filter_map(Value::as_str).collect()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// Every word in a text that is made like the name of a metric of ours.
fn metrics_named_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.starts_with("clawback_")).map(str::to_owned).collect()
}

/// The metric whose series it is: a histogram has three.
fn metric_of(series: &str) -> String {
    let of_histogram = ["_bucket", "_sum", "_count"].iter().filter_map(|suffix| series.strip_suffix(suffix));
    let histograms = METRICS.iter().filter(|metric| metric.kind == Kind::Histogram);
    let mut base = of_histogram.filter(|base| histograms.clone().any(|metric| metric.name == *base));
    base.next().unwrap_or(series).to_owned()
}

fn known_metrics() -> BTreeSet<String> {
    METRICS.iter().map(|metric| metric.name.to_owned()).collect()
}

mod image {
    use super::*;

    #[test]
    fn is_built_by_the_toolchain_that_the_package_asks_for() {
        let file = text("Dockerfile");
        assert!(file.contains(concat!("rust:", env!("CARGO_PKG_RUST_VERSION"), "-slim-bookworm AS build")));
        assert!(file.contains(concat!("ARG VERSION=", env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn holds_nothing_but_what_it_copies_and_runs_as_nobody() {
        let file = text("Dockerfile");
        let (_, last) = file.rsplit_once("\nFROM ").expect("two stages");
        assert!(last.starts_with("scratch\n"));
        assert!(!last.contains("\nRUN "));
        for line in [
            "USER 65532:65532",
            "EXPOSE 8080",
            "ENTRYPOINT [\"/clawback\"]",
            "CMD [\"serve\"]",
            "COPY --from=build /image /",
        ] {
            assert!(last.lines().any(|found| found == line), "{line}");
        }
        assert!(last.contains("CMD [\"/clawback\", \"healthcheck\"]"), "no shell is there to run a health check");
    }

    #[test]
    fn needs_nothing_that_older_builders_lack() {
        let file = text("Dockerfile");
        assert!(!file.contains("<<") && !file.contains("--link"));
    }

    #[test]
    fn sees_only_what_the_build_reads() {
        let file = text(".dockerignore");
        let lines: Vec<_> = file.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines[0], "*");
        assert!(lines[1..].iter().all(|line| line.strip_prefix('!').is_some_and(|path| root().join(path).exists())));
    }
}

mod compose {
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
                let value = value.as_str().unwrap_or_default();
                assert!(!is_secret(variable) || value.contains(":?"), "{variable} holds a value of its own");
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
        assert!(
            yaml("docker-compose.yml")["volumes"].as_object().is_some_and(|volumes| volumes.contains_key("postgres"))
        );
    }
}

mod kubernetes {
    use super::*;

    const FOLDER: &str = "deploy/kubernetes";
    const JOB: &str = "migration/job.yaml";

    fn manifest(name: &str) -> Value {
        yaml(PathBuf::from(FOLDER).join(name))
    }

    /// What both kinds of pods are made of, with the command whose help names their variables.
    fn pods() -> [(Value, &'static str); 2] {
        let pod = |name| manifest(name)["spec"]["template"]["spec"].clone();
        [(pod("deployment.yaml"), "serve"), (pod(JOB), "migrate")]
    }

    fn environment(pod: &Value) -> Vec<(&str, &Value)> {
        items(&pod["containers"][0]["env"]).iter().map(|env| (env["name"].as_str().expect("a name"), env)).collect()
    }

    #[test]
    fn pods_have_no_privileges_and_say_what_they_need() {
        for (pod, command) in pods() {
            let container = &pod["containers"][0];
            assert_eq!(items(&pod["containers"]).len(), 1, "{command}");
            assert_eq!(words(&container["args"]), [command]);
            assert_eq!(pod["automountServiceAccountToken"], false, "{command}");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{command}");
            assert_eq!(pod["securityContext"]["runAsUser"], 65532, "{command}");
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{command}");
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true, "{command}");
            assert_eq!(security["allowPrivilegeEscalation"], false, "{command}");
            assert_eq!(words(&security["capabilities"]["drop"]), ["ALL"], "{command}");
            let resources = &container["resources"];
            assert!(
                resources["requests"]["cpu"].is_string() && resources["requests"]["memory"].is_string(),
                "{command}"
            );
            assert!(resources["limits"]["memory"].is_string(), "{command}");
        }
    }

    #[test]
    fn pods_are_given_only_variables_that_they_read_and_secrets_by_reference() {
        for (pod, command) in pods() {
            let known = variables_of(command);
            for (variable, env) in environment(&pod) {
                assert!(known.contains(variable), "`clawback {command}` does not read {variable}");
                let by_reference = env["valueFrom"]["secretKeyRef"]["name"].is_string() && env["value"].is_null();
                assert_eq!(is_secret(variable), by_reference, "{variable}");
            }
        }
        for file in files() {
            assert_ne!(manifest(&file)["kind"], "Secret", "{file}: a secret's value has no place in a repository");
        }
    }

    #[test]
    fn probes_ask_for_readiness_and_for_life() {
        let deployment = manifest("deployment.yaml");
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        // Whatever restarts a pod asks for the process alone: a database that is away is no reason.
        let probes = [("startupProbe", "/healthz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")];
        for (probe, path) in probes {
            assert_eq!(container[probe]["httpGet"]["path"], path, "{probe}");
            assert_eq!(container[probe]["httpGet"]["port"], "http", "{probe}");
            // The service gives a probe's database two seconds.
            assert!(container[probe]["timeoutSeconds"].as_u64() > Some(2), "{probe}");
        }
    }

    #[test]
    fn a_roll_out_takes_no_replica_away_before_the_next_is_ready() {
        let deployment = manifest("deployment.yaml");
        assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
        let (pod, _) = &pods()[0];
        assert_eq!(pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"], PRE_STOP);
        assert_eq!(pod["terminationGracePeriodSeconds"], PRE_STOP + GRACE);
        let migrates = environment(pod).into_iter().find(|(name, _)| *name == "CLAWBACK_MIGRATE");
        assert_eq!(migrates.expect("it is set").1["value"], "false");
    }

    #[test]
    fn selectors_meet_the_pods_they_are_for() {
        let deployment = manifest("deployment.yaml");
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
        assert_eq!(&manifest("service.yaml")["spec"]["selector"], labels);
        assert_eq!(&manifest("pod-disruption-budget.yaml")["spec"]["selector"]["matchLabels"], labels);
        let job = manifest(JOB);
        assert_ne!(&job["spec"]["template"]["metadata"]["labels"], labels, "the job's pods are no backends");
    }

    #[test]
    fn only_prometheus_reaches_the_admin_port() {
        let (pod, _) = &pods()[0];
        let listen = environment(pod).into_iter().find(|(name, _)| *name == "CLAWBACK_ADMIN_LISTEN");
        assert_eq!(listen.expect("it is set").1["value"], format!("0.0.0.0:{ADMIN}"));
        let service = manifest("service.yaml");
        assert_eq!(items(&service["spec"]["ports"]).len(), 1);
        assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");
        let policy = manifest("network-policy.yaml");
        assert_eq!(words(&policy["spec"]["policyTypes"]), ["Ingress"]);
        for rule in items(&policy["spec"]["ingress"]) {
            let ports: Vec<_> = items(&rule["ports"]).iter().map(|port| port["port"].to_string()).collect();
            assert!(!ports.is_empty(), "a rule without ports opens all");
            let from = items(&rule["from"]);
            assert!(!ports.iter().any(|port| port == ADMIN) || !from.is_empty(), "the admin port is open to all");
            assert!(from.iter().all(|peer| peer["podSelector"].is_object()));
        }
    }

    fn files() -> Vec<String> {
        let folder = |name: &str| {
            let folder = root().join(FOLDER).join(name);
            let entries = fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.expect("an entry"));
            let names = entries.map(|entry| entry.file_name().into_string().expect("a name"));
            names.map(|file| format!("{name}{file}")).collect::<Vec<_>>()
        };
        let files = [folder(""), folder("migration/")].concat();
        files.into_iter().filter(|name| name.ends_with(".yaml") && !name.ends_with("kustomization.yaml")).collect()
    }

    #[test]
    fn the_kustomization_lists_everything_but_the_job_which_has_its_own() {
        let listed = |name: &str| -> BTreeSet<_> {
            words(&manifest(name)["resources"]).into_iter().map(str::to_owned).collect()
        };
        let service: BTreeSet<_> = files().into_iter().filter(|name| name != JOB).collect();
        assert_eq!(listed("kustomization.yaml"), service);
        assert_eq!(listed("migration/kustomization.yaml"), BTreeSet::from(["job.yaml".to_owned()]));
    }

    #[test]
    fn service_and_job_are_of_one_image_and_in_one_namespace() {
        let [service, job] = ["kustomization.yaml", "migration/kustomization.yaml"].map(manifest);
        assert_eq!(service["images"], job["images"], "another image in the one than in the other");
        assert_eq!(service["namespace"], job["namespace"], "another namespace in the one than in the other");
        let [service, job] = pods().map(|(pod, _)| pod["containers"][0]["image"].clone());
        assert_eq!(service, job, "another image in the one than in the other");
    }

    #[test]
    fn an_image_that_nobody_named_otherwise_is_of_this_version() {
        let named = pods().map(|(pod, _)| pod["containers"][0]["image"].as_str().expect("an image").to_owned());
        let tags = named.iter().filter_map(|image| image.strip_prefix("clawback:").map(str::to_owned));
        let changed = manifest("kustomization.yaml")["images"].clone();
        let unnamed = items(&changed).iter().filter(|image| image["newName"].is_null());
        for tag in tags.chain(unnamed.filter_map(|image| image["newTag"].as_str().map(str::to_owned))) {
            assert_eq!(tag, env!("CARGO_PKG_VERSION"));
        }
    }
}

mod systemd {
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
}

/// The service, whose database is away.
struct Service {
    process: Child,
    admin: String,
}

impl Service {
    fn start() -> Self {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_clawback"));
        serve.args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]).env_clear();
        serve.args(["--migrate=false", "--log-format=json", "--webhook-secrets=whsec_any"]);
        serve.arg("--database-url=postgres://nobody@127.0.0.1:1/nothing");
        let mut process = serve.stdout(Stdio::piped()).spawn().expect("it starts");
        let log = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let lines = log.map(|line| serde_json::from_str(&line.expect("text")).expect("a line of the log is JSON"));
        let admin = lines.filter_map(|line: Value| line["admin"].as_str().map(str::to_owned)).next();
        Self { process, admin: admin.expect("it says where it listens") }
    }

    /// The series and their values.
    fn scrape(&self) -> BTreeSet<String> {
        let mut stream = TcpStream::connect(&self.admin).expect("it listens");
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer.lines().filter(|line| line.starts_with("clawback_")).map(str::to_owned).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

mod metrics {
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
        for source in ["src/http/refusal.rs", "src/stripe/signature.rs", "src/stripe/envelope.rs", "src/intake/mod.rs"]
        {
            known.extend(reasons_in(&text(source)));
        }
        // These are the outcomes of `Recorded`, no refusals.
        known.retain(|word| word != "new" && word != "duplicate");
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
        let mut expected: BTreeSet<_> =
            reasons().iter().map(|reason| of(telemetry::REFUSALS, "reason", reason)).collect();
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
    fn the_first_scrape_of_a_service_whose_database_is_away_says_what_it_knows_of_itself() {
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
    fn whatever_refuses_every_delivery_for_what_it_is_wakes_somebody() {
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
    fn the_page_on_deployment_names_every_alert_that_wakes_somebody_and_no_other() {
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
    fn whatever_the_database_says_of_the_work_can_raise_an_alarm() {
        let rules = rules();
        let expressions = rules.iter().filter_map(|rule| rule["expr"].as_str());
        let alarming: BTreeSet<_> = expressions.flat_map(metrics_named_in).collect();
        for name in names(&[Kind::DatabaseGauge]) {
            // How many is no trouble as long as the oldest is young.
            let counted = name == telemetry::PENDING_EVENTS;
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
}
