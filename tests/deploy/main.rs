//! What is deployed, read as data: image, compose file, Kubernetes manifests, systemd unit, alert rules,
//! dashboard, and the page on metrics. Compared with the binary's own help and its list of metrics.
//!
//! Not here: whether tools accept them (`scripts/check-manifests.sh`), and whether the image works
//! (`scripts/prove-image.sh`).

mod compose;
mod image;
mod kubernetes;
mod metrics;
mod systemd;

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
