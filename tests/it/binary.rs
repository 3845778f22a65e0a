//! The real binary, as a process of its own, with no environment but what the test gives it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::{PATIENCE, SECRET, client, until};

/// How a command ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// None: by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = timeout(PATIENCE, command(arguments, environment).output()).await;
    let output = output.expect("the command ends in time").expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A command that is not started yet.
pub fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawback"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// `clawback serve` on ports of its own.
pub struct Serving {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    child: Child,
    log: Arc<Mutex<String>>,
    stdout: JoinHandle<()>,
    stderr: JoinHandle<String>,
}

impl Serving {
    /// Starts it, and waits until it is ready.
    pub async fn start(database_url: &str, environment: &[(&str, &str)]) -> Self {
        let serving = Self::listening(database_url, environment).await;
        serving.until_ready().await;
        serving
    }

    /// Starts it, and waits until it listens.
    pub async fn listening(database_url: &str, environment: &[(&str, &str)]) -> Self {
        let usual = [
            ("DATABASE_URL", database_url),
            ("STRIPE_WEBHOOK_SECRETS", SECRET),
            ("CLAWBACK_LISTEN", "127.0.0.1:0"),
            ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0"),
        ];
        let mut child = command(&["serve"], &[&usual, environment].concat()).spawn().expect("the binary runs");
        let (heard, listening) = oneshot::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let stdout = tokio::spawn(read_log(child.stdout.take().expect("a pipe"), heard, Arc::clone(&log)));
        let mut errors = child.stderr.take().expect("a pipe");
        let stderr = tokio::spawn(async move {
            let mut text = String::new();
            errors.read_to_string(&mut text).await.expect("UTF-8");
            text
        });
        let listening = timeout(PATIENCE, listening).await.expect("it listens in time").expect("it says where");
        let address = |of: &str| listening[of].as_str().and_then(|text| text.parse().ok()).expect("an address");
        Self { address: address("public"), admin: address("admin"), child, log, stdout, stderr }
    }

    async fn until_ready(&self) {
        let (client, url) = (client(), format!("http://{}/readyz", self.address));
        let ready = async || client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
        until("the process is ready", ready).await;
    }

    /// SIGHUP.
    pub async fn hang_up(&self) {
        self.signal("-HUP").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("the process is there").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.expect("kill runs");
        assert!(sent.success(), "the process is gone already");
    }

    /// Waits until the log has this text so many times.
    pub async fn until_logged(&self, text: &str, times: usize) {
        until(text, async || self.log.lock().expect("a log").matches(text).count() >= times).await;
    }

    /// The most memory that the process has taken so far, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let id = self.child.id().expect("the process is there");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process is there");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        peak.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// SIGKILL: it gets no chance to do anything.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process is there");
    }

    /// SIGTERM; it must end within this time.
    pub async fn terminate(mut self, limit: Duration) -> Ended {
        self.signal("-TERM").await;
        let status = timeout(limit, self.child.wait()).await.expect("it ends in time").expect("a status");
        self.stdout.await.expect("a log");
        let stderr = self.stderr.await.expect("a log");
        let stdout = self.log.lock().expect("a log").clone();
        Ended { code: status.code(), stdout, stderr }
    }
}

/// Reads the log to its end; tells the line that says where it listens at once.
async fn read_log(stdout: ChildStdout, heard: oneshot::Sender<Value>, log: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(stdout).lines();
    let mut heard = Some(heard);
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(heard) = heard.take_if(|_| line.contains("listening on")) {
            drop(heard.send(serde_json::from_str(&line).expect("a line of JSON")));
        }
        log.lock().expect("a log").push_str(&(line + "\n"));
    }
}
